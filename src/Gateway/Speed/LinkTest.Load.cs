using Aggregator.Gateway.Links;
using Aggregator.Speed;

namespace Aggregator.Gateway.Speed;

/// <content>A loaded line: the rate, what it loses by itself, and its full queue.</content>
internal sealed partial class LinkTest
{
    private async Task<(LoadResult Load, double? LoadedMs)> LoadAsync(
        string name, SpeedKind kind, LoadTime length, Func<uint, List<SpeedStream>, LoadFigures> figures, CancellationToken cancellationToken)
    {
        progress(name, null, null);
        uint group = groups.Next();
        Loaded();
        try
        {
            // Others' flows get connections that begin elsewhere before this line is loaded.
            Task elsewhere = hasty ? Task.CompletedTask : Task.Delay(GoElsewhere, clock.Time, cancellationToken);
            SpeedStream[] streams = await dialer.DialAsync(path, RateStreams + PacedStreams + FillStreams, cancellationToken);
            await elsewhere;
            return await LoadAsync(name, kind, length, group, streams, figures, cancellationToken);
        }
        finally
        {
            if (!hasty)
            {
                await DrainAsync();
            }
        }
    }

    private async Task<(LoadResult Load, double? LoadedMs)> LoadAsync(
        string name, SpeedKind kind, LoadTime length, uint group, SpeedStream[] streams, Func<uint, List<SpeedStream>, LoadFigures> figures, CancellationToken cancellationToken)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        try
        {
            InterfaceCounters? before = InterfaceCounters.Read(path.Interface);
            var started = new List<SpeedStream>();
            var load = await new LoadPhase(clock).RunAsync(
                streams[..RateStreams],
                stream =>
                {
                    started.Add(stream);
                    stream.Start(Header(kind, SpeedLoad.Best, group), ending.Token);
                },
                figures(group, started),
                _idleS,
                length,
                mbps =>
                {
                    Loaded();
                    progress(name, mbps, _best.LatestMs);
                },
                cancellationToken);
            Result.MtuBytes = started[0].Tcp().PathMtuBytes;
            // On a far one that would take as long again.
            if (!IsFar && load.Rate is { Mbps: var rate } && load.RetransmitRatio > WorthALook)
            {
                await PacedAsync(name, kind, rate, streams, ending.Token);
            }

            double? loaded = await FillAsync(name, kind, streams[^FillStreams..], ending.Token);
            Count(kind, before, load);
            return (load, loaded);
        }
        finally
        {
            await ending.CancelAsync();
            foreach (SpeedStream stream in streams)
            {
                await stream.DisposeAsync();
            }
        }
    }

    private void Loaded() => loads.Load(path.Interface, _idleS * 1000, _best.LatestMs ?? 0);

    /// <summary>What the test left in the line's queue has gone; nobody's small request waits behind it, and the next measurement begins with an empty one.</summary>
    private async Task DrainAsync()
    {
        double from = clock.NowS;
        using var timer = new PeriodicTimer(LoadPhase.Tick, clock.Time);
        while (clock.NowS - from < MostDrainS && _best.LatestMs > DrainedPart * _idleS * 1000 && await timer.WaitForNextTickAsync(CancellationToken.None))
        {
        }
    }

    /// <summary>Three round trips of a line that is worth going to (TCP, TLS, greeting), and the time for that much arithmetic.</summary>
    private static readonly TimeSpan GoElsewhere = TimeSpan.FromMilliseconds(250);

    private const double MostDrainS = 0.5;

    private const double DrainedPart = 1.5;

    /// <summary>
    /// What the line loses by itself: at half of its rate no queue overflows, so what is sent again then was lost on the way. The rate's own streams are
    /// ended for it.
    /// </summary>
    private async Task PacedAsync(string name, SpeedKind kind, double mbps, SpeedStream[] streams, CancellationToken cancellationToken)
    {
        foreach (SpeedStream stream in streams[..RateStreams])
        {
            await stream.DisposeAsync();
        }

        uint group = groups.Next();
        progress(name, null, _best.LatestMs);
        // The resets travel to the senders, and what these left in the queue travels back.
        await Task.Delay(TimeSpan.FromSeconds(Math.Clamp(2 * (_best.LatestMs ?? 0) / 1000, 0.1, 2)), clock.Time, cancellationToken);
        SpeedStream paced = streams[RateStreams];
        paced.Start(Header(kind, SpeedLoad.Best, group) with { PaceKbps = (uint)(mbps * 1000 / 2) }, cancellationToken);
        await Task.Delay(TimeSpan.FromSeconds(Math.Clamp(6 * _idleS, PacedS, 2 * PacedS)), clock.Time, cancellationToken);
        (double sent, double again) = kind == SpeedKind.Upload
            ? ((double)paced.Tcp().DataSegmentsSent, (double)paced.Tcp().Retransmits)
            : call.Last(group) is var (_, g) ? (g.SegmentsSent, g.Retransmits) : (0, 0);
        await paced.DisposeAsync();
        if (sent >= LeastSegments)
        {
            Result.PacedLossRatio = Math.Max(Result.PacedLossRatio, again / sent);
        }
    }

    private const int PacedStreams = 1;

    private const double PacedS = 0.8;

    /// <summary>Fewer say nothing.</summary>
    private const double LeastSegments = 50;

    /// <summary>Less is not told from what congestion control itself causes.</summary>
    private const double WorthALook = 0.002;

    /// <summary>Adds senders that go on until packets are lost; what the probes meet then is the full queue.</summary>
    private async Task<double?> FillAsync(string name, SpeedKind kind, SpeedStream[] streams, CancellationToken cancellationToken)
    {
        uint group = groups.Next();
        double from = clock.NowS;
        double most = Math.Clamp(8 * _idleS, 1.0, 2.5);
        double? lostAt = null;
        foreach (SpeedStream stream in streams)
        {
            stream.Start(Header(kind, SpeedLoad.LossBased, group), cancellationToken);
        }

        using var timer = new PeriodicTimer(LoadPhase.Tick, clock.Time);
        double now;
        do
        {
            await timer.WaitForNextTickAsync(cancellationToken);
            now = clock.NowS;
            Loaded();
            progress("loaded-" + name, null, _best.LatestMs);
            ulong retransmits = kind == SpeedKind.Upload
                ? (ulong)streams.Sum(s => s.Tcp().Retransmits)
                : call.Last(group)?.Group.Retransmits ?? 0;
            lostAt ??= retransmits > 0 ? now : null;
        }
        while (now - from < most && !(lostAt is { } lost && now - lost > AfterLossS));

        await Task.Delay(TimeSpan.FromMilliseconds(Math.Clamp(_best.LatestMs ?? 0, 20, 1000)), clock.Time, cancellationToken);
        return RoundTrips.Peak(_best.Between(from, now));
    }

    /// <summary>When the first loss is known the queue is as full as it gets; the senders slow down a round trip later.</summary>
    private const double AfterLossS = 0.15;

    /// <exception cref="IOException">The test's bytes went elsewhere.</exception>
    private void Count(SpeedKind kind, InterfaceCounters? before, LoadResult load)
    {
        if (before is not { } a || InterfaceCounters.Read(path.Interface) is not { } b)
        {
            throw new IOException("the interface is gone");
        }

        ulong rx = b.RxBytes - a.RxBytes;
        ulong tx = b.TxBytes - a.TxBytes;
        Result.CountedRxBytes += rx;
        Result.CountedTxBytes += tx;
        double tested = load.Series.Points.Count == 0 ? 0 : load.Series.Points[^1].Bytes - load.Series.Points[0].Bytes;
        if ((kind == SpeedKind.Upload ? tx : rx) < tested)
        {
            throw new IOException($"the test's bytes did not go over {path.Interface}: it counted {(kind == SpeedKind.Upload ? tx : rx)} of {tested:0}; something on this host leads them elsewhere");
        }
    }
}
