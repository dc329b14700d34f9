using System.Collections.Concurrent;
using System.Net;
using Aggregator.Identity;
using Microsoft.Extensions.Logging;

namespace Aggregator.Vps.Diagnosis;

/// <summary>The echo pairs that are open: one a gateway, a few in all, each for a fixed time whatever becomes of the gateway.</summary>
internal sealed class EchoDesk(TimeProvider time, ILogger<EchoDesk> logger) : IAsyncDisposable
{
    /// <summary>A doctor ends within 30 s and asks for NAT types in the first ten.</summary>
    internal static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(10);

    /// <summary>More gateways than a VPS has, all at the same moment.</summary>
    internal const int MaxOpen = 16;

    private readonly ConcurrentDictionary<KeyPin, Running> _open = new();
    private readonly CancellationTokenSource _stop = new();

    /// <returns>Null: this gateway has one, or too many are open.</returns>
    /// <exception cref="System.Net.Sockets.SocketException">The ports cannot be had.</exception>
    internal EchoPair? TryOpen(KeyPin gateway, string name, IPAddress address)
    {
        var place = new Running();
        if (_open.Count >= MaxOpen || !_open.TryAdd(gateway, place))
        {
            return null;
        }

        try
        {
            var pair = EchoPair.Open(address);
            logger.EchoOpened(name, address, pair.FirstPort, pair.SecondPort, Lifetime.TotalSeconds);
            place.Loop = RunAsync(gateway, pair);
            return pair;
        }
        catch
        {
            _open.TryRemove(gateway, out _);
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        foreach (var running in _open.Values)
        {
            await running.Loop;
        }

        _stop.Dispose();
    }

    private async Task RunAsync(KeyPin gateway, EchoPair pair)
    {
        using var lifetime = new CancellationTokenSource(Lifetime, time);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(lifetime.Token, _stop.Token);
        int first = pair.FirstPort;
        int second = pair.SecondPort;
        try
        {
            await pair.RunAsync(ending.Token);
        }
        finally
        {
            pair.Dispose();
            _open.TryRemove(gateway, out _);
            logger.EchoClosed(first, second, pair.Answers);
        }
    }

    private sealed class Running
    {
        internal Task Loop { get; set; } = Task.CompletedTask;
    }
}
