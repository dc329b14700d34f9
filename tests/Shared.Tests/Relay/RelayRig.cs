using Aggregator.Relay;

namespace Aggregator.Shared.Tests.Relay;

/// <summary>client ── relay ── server.</summary>
internal sealed class RelayRig : IAsyncDisposable
{
    private readonly IByteStream _left;
    private readonly IByteStream _right;

    private RelayRig(IByteStream client, IByteStream left, IByteStream right, IByteStream server, RelayBudget budget)
    {
        Client = client;
        Server = server;
        _left = left;
        _right = right;
        Relay = StreamRelay.RunAsync(left, right, budget, ToSecond, ToFirst, Stop.Token);
    }

    internal IByteStream Client { get; }

    internal IByteStream Server { get; }

    internal ByteCounter ToSecond { get; } = new();

    internal ByteCounter ToFirst { get; } = new();

    internal CancellationTokenSource Stop { get; } = new();

    internal Task<RelayResult> Relay { get; }

    internal static async Task<RelayRig> StartAsync(Wire first, Wire second, RelayBudget budget)
    {
        var (client, left) = await StreamPairs.ConnectAsync(first);
        var (server, right) = await StreamPairs.ConnectAsync(second);
        return new RelayRig(client, left, right, server, budget);
    }

    public async ValueTask DisposeAsync()
    {
        await Client.DisposeAsync();
        await Server.DisposeAsync();
        await Stop.CancelAsync();
        await Relay;
        await _left.DisposeAsync();
        await _right.DisposeAsync();
        Stop.Dispose();
    }
}
