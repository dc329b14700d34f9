using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Aggregator.Gateway.Ingress;
using Microsoft.Extensions.Logging;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Ingress;

/// <summary>Alone, because one of them takes all descriptors from the process.</summary>
[CollectionDefinition(nameof(AloneGroup), DisableParallelization = true)]
public sealed class AloneGroup;

[Collection(nameof(AloneGroup))]
public sealed partial class AcceptLoopTests
{
    [Fact]
    public async Task Running_out_of_descriptors_is_survived()
    {
        using Socket listener = Listen(out IPEndPoint endPoint);
        var log = new Recorder();
        int served = 0;
        await using var loop = new AcceptLoop(
            "test", listener,
            async (socket, token) =>
            {
                Interlocked.Increment(ref served);
                await socket.SendAsync(new byte[] { 42 }, token);
            },
            IngressLimits.Default, TimeProvider.System, log);
        // Everything that the test needs is made before there are none left.
        await using (await ConnectAsync(endPoint))
        {
        }
        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await IngressRig.Eventually(() => Volatile.Read(ref served) == 1);
        getrlimit(RLIMIT_NOFILE, out Limit before).ShouldBe(0);
        setrlimit(RLIMIT_NOFILE, before with { Soft = 3 }).ShouldBe(0);
        try
        {
            await client.ConnectAsync(endPoint);
            await IngressRig.Eventually(() => log.Ids.Contains(2102));
        }
        finally
        {
            setrlimit(RLIMIT_NOFILE, before).ShouldBe(0);
        }
        (await client.ReadAsync(1)).ShouldBe([42]);
        log.Ids.ShouldContain(2103);
        log.Ids.ShouldNotContain(2104);
    }

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
            IngressLimits.Default with { MaxConnections = 2 }, TimeProvider.System, new Recorder());
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
            "test", listener, (_, _) => throw new InvalidOperationException("a bug"), IngressLimits.Default, TimeProvider.System, log);
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

    // <sys/resource.h>
    private const int RLIMIT_NOFILE = 7;

    [StructLayout(LayoutKind.Sequential)]
    private record struct Limit(ulong Soft, ulong Hard);

    [LibraryImport("libc")]
    private static partial int getrlimit(int resource, out Limit limit);

    [LibraryImport("libc")]
    private static partial int setrlimit(int resource, in Limit limit);

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
