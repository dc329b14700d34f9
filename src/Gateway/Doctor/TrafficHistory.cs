using System.Collections.Immutable;
using Aggregator.Gateway.Links;

namespace Aggregator.Gateway.Doctor;

/// <summary>
/// The WANs' byte counters of the last minute, for the question how traffic was really split: one dump of /proc/net/dev every
/// <see cref="Interval"/>, <see cref="Samples"/> kept.
/// </summary>
internal sealed class TrafficHistory(Func<LinkSnapshot> links, Func<string, InterfaceCounters?> read, TimeProvider time) : IAsyncDisposable
{
    internal static readonly TimeSpan Span = TimeSpan.FromMinutes(1);
    internal static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    /// <summary>The span and both its ends.</summary>
    internal const int Samples = 13;

    private readonly Lock _lock = new();
    private readonly Queue<Sample> _samples = new(Samples);
    private readonly CancellationTokenSource _stop = new();
    private Task _loop = Task.CompletedTask;

    internal void Start()
    {
        Take();
        _loop = RunAsync();
    }

    /// <summary>From the oldest sample kept to this moment.</summary>
    internal TrafficWindow Window()
    {
        var now = Now();
        Sample? oldest;
        lock (_lock)
        {
            _samples.TryPeek(out oldest);
        }

        return oldest is null
            ? new TrafficWindow(TimeSpan.Zero, [])
            : new TrafficWindow(
                time.GetElapsedTime(oldest.At, now.At),
                [.. now.Counters.Select(c => Difference(c.Link, oldest.Counters.FirstOrDefault(o => o.Link == c.Link).Counters, c.Counters))]);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _loop;
        _stop.Dispose();
    }

    internal void Take()
    {
        var sample = Now();
        lock (_lock)
        {
            if (_samples.Count == Samples)
            {
                _samples.Dequeue();
            }

            _samples.Enqueue(sample);
        }
    }

    private async Task RunAsync()
    {
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token))
            {
                Take();
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Disposed.
        }
    }

    /// <summary>An interface that was not there, or began anew, counts from nothing.</summary>
    private static LinkTraffic Difference(string link, InterfaceCounters before, InterfaceCounters now) =>
        now.RxBytes < before.RxBytes || now.TxBytes < before.TxBytes
            ? new LinkTraffic(link, now.RxBytes, now.TxBytes)
            : new LinkTraffic(link, now.RxBytes - before.RxBytes, now.TxBytes - before.TxBytes);

    private Sample Now() => new(
        time.GetTimestamp(),
        [
            .. links().Links
                .Select(l => (l.Name, Counters: read(l.Interface)))
                .Where(l => l.Counters is not null)
                .Select(l => (l.Name, l.Counters!.Value)),
        ]);

    private sealed record Sample(long At, ImmutableArray<(string Link, InterfaceCounters Counters)> Counters);
}

/// <param name="Length">Up to a minute.</param>
internal sealed record TrafficWindow(TimeSpan Length, ImmutableArray<LinkTraffic> Links);

/// <summary>Bytes through a WAN's interface in a window, whoever sent them.</summary>
internal readonly record struct LinkTraffic(string Link, ulong RxBytes, ulong TxBytes);
