using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using Aggregator.Flows;
using Aggregator.Relay;
using Aggregator.Trunk;
using Microsoft.Extensions.Logging;
using Shouldly;

namespace Aggregator.Shared.Tests.Trunk;

/// <summary>Both ends of a trunk in one process, joined by TCP connections over loopback.</summary>
internal sealed class TrunkPair : IAsyncDisposable, ITrunkAcceptor, ILogger
{
    private readonly ConcurrentQueue<string> _errors = new();
    private readonly Channel<TrunkStream> _opened = Channel.CreateUnbounded<TrunkStream>();
    private uint _lastLane;

    internal TrunkPair(TrunkOptions? options = null, long budgetBytes = 64L << 20)
    {
        options ??= new TrunkOptions();
        GatewayBudget = new TrunkBudget(budgetBytes);
        VpsBudget = new TrunkBudget(budgetBytes);
        Gateway = new TrunkSession(TrunkRole.Gateway, 1, "vps", null, GatewayBudget, options, TimeProvider.System, this);
        Vps = new TrunkSession(TrunkRole.Vps, 1, "gateway", this, VpsBudget, options, TimeProvider.System, this);
    }

    internal TrunkBudget GatewayBudget { get; }

    internal TrunkBudget VpsBudget { get; }

    internal TrunkSession Gateway { get; }

    internal TrunkSession Vps { get; }

    internal ConcurrentDictionary<uint, (TrunkLane Gateway, TrunkLane Vps)> Lanes { get; } = new();

    /// <summary>Two connected sockets, the client's first.</summary>
    internal static async Task<(Socket Client, Socket Server)> ConnectAsync()
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen(1);
        var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        var accepting = listener.AcceptAsync();
        await client.ConnectAsync(listener.LocalEndPoint!);
        var server = await accepting;
        server.NoDelay = true;
        return (client, server);
    }

    internal async Task<uint> AddLaneAsync(string link = "wan", LaneRole role = LaneRole.Normal)
    {
        var (client, server) = await ConnectAsync();
        uint id = Interlocked.Increment(ref _lastLane);
        var vps = Vps.AddLane(new LaneTransport(id, link, role, new SocketByteStream(server), new TcpMeter(server)));
        var gateway = Gateway.AddLane(new LaneTransport(id, link, role, new SocketByteStream(client), new TcpMeter(client)));
        Lanes[id] = (gateway, vps);
        return id;
    }

    /// <summary>A stream with both its ends, answered.</summary>
    internal async Task<(TrunkStream Gateway, TrunkStream Vps)> OpenAsync(FlowClass flowClass = FlowClass.Default, byte[]? first = null)
    {
        var gateway = await Gateway.OpenAsync(new FlowTarget("example.net", 80), first ?? [], flowClass, CancellationToken.None)
            ?? throw new InvalidOperationException("no stream");
        var vps = await AcceptAsync();
        vps.Reply(new FlowReply(OpenResult.Opened, null));
        return (gateway, vps);
    }

    internal async Task<TrunkStream> AcceptAsync() => await _opened.Reader.ReadAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(20));

    public void Opened(TrunkStream stream, FlowTarget target, FlowClass flowClass) => _opened.Writer.TryWrite(stream);

    public async ValueTask DisposeAsync()
    {
        await Gateway.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(20));
        await Vps.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(20));
        _errors.ShouldBeEmpty();
    }

    IDisposable? ILogger.BeginScope<TState>(TState state) => null;

    bool ILogger.IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Error;

    void ILogger.Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        _errors.Enqueue(formatter(state, exception) + exception);
}
