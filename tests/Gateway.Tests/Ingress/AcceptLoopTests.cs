using System.Net;
using System.Net.Sockets;
using Aggregator.Gateway.Ingress;
using Microsoft.Extensions.Logging;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Ingress;

public sealed class AcceptLoopTests
{
    /// <summary>The kernel's answer is given in its place: a test that takes all descriptors takes them from its own runtime too, which dies of it.</summary>
    [Fact]
    public async Task Running_out_of_descriptors_is_survived()
    {
        using Socket listener = Listen(out IPEndPoint endPoint);
        var log = new Recorder();
        int failures = 3;
        await using var loop = new AcceptLoop(
            "test", listener,
            async (socket, token) => await socket.SendAsync(new byte[] { 42 }, token),
            IngressRig.Context(new DirectCarrier(), logger: log),
            token => Interlocked.Decrement(ref failures) >= 0
                ? throw new SocketException((int)SocketError.TooManyOpenSockets)
                : listener.AcceptAsync(token));
        await using NetworkStream client = await ConnectAsync(endPoint);
        client.ReadByte().ShouldBe(42);
        log.Ids.ShouldBe([2102, 2102, 2102, 2103]);
    }

    /// <summary>A connection that was gone before it was accepted: no pause, no warning.</summary>
    [Fact]
    public async Task An_error_of_one_connection_is_passed_over()
    {
        using Socket listener = Listen(out IPEndPoint endPoint);
        var log = new Recorder();
        int failures = 1;
        await using var loop = new AcceptLoop(
            "test", listener,
            async (socket, token) => await socket.SendAsync(new byte[] { 42 }, token),
            IngressRig.Context(new DirectCarrier(), logger: log),
            token => Interlocked.Decrement(ref failures) >= 0
                ? throw new SocketException((int)SocketError.ConnectionAborted)
                : listener.AcceptAsync(token));
        await using NetworkStream client = await ConnectAsync(endPoint);
        client.ReadByte().ShouldBe(42);
        log.Ids.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(1024, 256)]
    [InlineData(20_000, 9744)]
    [InlineData(1_048_576, 16_000)]
    [InlineData(ulong.MaxValue, 16_000)]
    [InlineData(100, 64)]
    public void Connections_are_as_many_as_there_are_descriptors_for(ulong descriptors, int connections) =>
        IngressLimits.ForDescriptors(descriptors).MaxConnections.ShouldBe(connections);

    [Fact]
    public async Task No_more_connections_are_served_at_once_than_the_limit_says()
    {
        using Socket listener = Listen(out IPEndPoint endPoint);
        var release = new TaskCompletionSource();
        int now = 0;
        int most = 0;
        await using var loop = new AcceptLoop(
            "test", listener,
            async (socket, token) =>
            {
                most = Math.Max(most, Interlocked.Increment(ref now));
                await socket.SendAsync(new byte[] { 42 }, token);
                await release.Task;
                Interlocked.Decrement(ref now);
            },
            IngressRig.Context(new DirectCarrier(), IngressLimits.Default with { MaxConnections = 2 }));
        await using NetworkStream a = await ConnectAsync(endPoint);
        await using NetworkStream b = await ConnectAsync(endPoint);
        await using NetworkStream c = await ConnectAsync(endPoint);
        a.ReadByte().ShouldBe(42);
        b.ReadByte().ShouldBe(42);
        c.DataAvailable.ShouldBeFalse();
        release.SetResult();
        c.ReadByte().ShouldBe(42);
        most.ShouldBe(2);
    }

    [Fact]
    public async Task An_error_of_our_own_ends_one_connection_only()
    {
        using Socket listener = Listen(out IPEndPoint endPoint);
        var log = new Recorder();
        await using var loop = new AcceptLoop(
            "test", listener, (_, _) => throw new InvalidOperationException("a bug"), IngressRig.Context(new DirectCarrier(), logger: log));
        for (int i = 0; i < 2; i++)
        {
            await using NetworkStream client = await ConnectAsync(endPoint);
            client.ReadByte().ShouldBe(-1);
        }
        log.Ids.Count(id => id == 2104).ShouldBe(2);
    }

    private static Socket Listen(out IPEndPoint endPoint)
    {
        Socket? listener = ListenSocket.TryOpen("test", new IPEndPoint(IPAddress.Loopback, 0), 16, transparent: false, out string? error);
        error.ShouldBeNull();
        endPoint = (IPEndPoint)listener!.LocalEndPoint!;
        return listener;
    }

    private static async Task<NetworkStream> ConnectAsync(IPEndPoint endPoint)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(endPoint);
        return new NetworkStream(socket, ownsSocket: true);
    }

    private sealed class Recorder : ILogger
    {
        private readonly Lock _lock = new();
        private readonly List<int> _ids = [];

        internal int[] Ids
        {
            get
            {
                lock (_lock)
                {
                    return [.. _ids];
                }
            }
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            lock (_lock)
            {
                _ids.Add(eventId.Id);
            }
        }
    }
}
