using Aggregator.Gateway.Links;
using Aggregator.Mptcp;
using Aggregator.Protocol.V1;
using Aggregator.Speed;

namespace Aggregator.Gateway.Speed;

/// <summary>
/// One link alone: idle probes, then for each direction the rate (several streams of plain TCP bound to the link: an MPTCP connection would be joined
/// from the other links) and the round trip with the queue full. What fails is this link's error.
/// </summary>
/// <param name="hasty">A doctor's look, which has no time for waits that are for others' sake.</param>
internal sealed class LinkTest(
    SpeedPath path, SpeedDialer dialer, SpeedCall call, SpeedClock clock, PhaseNumbers groups, LinkLoads loads, bool hasty, Action<string, double?, double?> progress)
    : IAsyncDisposable
{
    private const int RateStreams = 8;

    /// <summary>Doubling from ten segments each: a full queue after a few round trips, at 10 Mbit/s and at 1 Gbit/s.</summary>
    private const int FillStreams = 8;

    /// <summary>An idle line's probes: 60 ICMP echoes, 24 over TCP.</summary>
    private static readonly TimeSpan IdleTime = TimeSpan.FromSeconds(1.2);

    /// <summary>The first echoes over TCP pay for what is done once.</summary>
    private const double WarmUpS = 0.15;

    /// <summary>ICMP is taken where it is not slower than TCP by more: some boxes treat it as worth less.</summary>
    private const double IcmpExcessMs = 2;

    private readonly ProbeLog _icmp = new();
    private readonly ProbeLog _tcp = new();
    private readonly CancellationTokenSource _probing = new();
    private Task _probes = Task.CompletedTask;
    private ProbeLog _best = new();
    private double _idleS = 0.05;
    private SenderTimes? _sendersDown;
    private SenderTimes? _sendersUp;

    internal SpeedLink Result { get; } = new() { Name = path.Link, Interface = path.Interface, Mptcp = "unknown" };

    internal SpeedPath Path => path;

    /// <summary>Of the idle line, as far as known.</summary>
    internal double IdleS => _idleS;

    /// <summary>What was found about MPTCP on it.</summary>
    internal void Take(PathVerdict verdict)
    {
        Result.Mptcp = verdict.Name;
        Result.MptcpText = verdict.Text;
        if (verdict.Where is { } where)
        {
            Result.MptcpWhere = where;
        }

        if (verdict.PublicAddress is { } address && !Result.HasPublicAddress)
        {
            Result.PublicAddress = address;
        }
    }

    /// <summary>Of the rate's streams; null: not known.</summary>
    internal SenderTimes? Senders(bool down) => down ? _sendersDown : _sendersUp;

    /// <summary>Connects the echo and probes the idle line; the probes go on until <see cref="DisposeAsync"/>.</summary>
    internal Task IdleAsync(CancellationToken cancellationToken) => GuardAsync(async () =>
    {
        progress("idle", null, null);
        SpeedStream echo = await dialer.DialAsync(path, mptcp: false, cancellationToken);
        var answer = await echo.OpenAsync(Header(SpeedKind.Echo, SpeedLoad.Best, groups.Next()), cancellationToken);
        if (answer.From is { } from)
        {
            Result.PublicAddress = from.Address.ToString();
        }

        double began = clock.NowS;
        _probes = ProbeAsync(echo);
        await Task.Delay(IdleTime, clock.Time, cancellationToken);
        double ended = clock.NowS;
        // The last answers are still on their way.
        await Task.Delay(TimeSpan.FromMilliseconds(Math.Clamp(_tcp.LatestMs ?? 100, 20, 1000)), clock.Time, cancellationToken);
        Idle(began, ended);
    });

    internal Task DownAsync(LoadTime length, CancellationToken cancellationToken) => GuardAsync(async () =>
    {
        var senders = new SenderSeries();
        var (load, loaded) = await LoadAsync(
            "down",
            SpeedKind.Download,
            length,
            (group, started) => new LoadFigures(
                () => (clock.NowS, started.Sum(s => (double)s.Tcp().BytesReceived)),
                () =>
                {
                    if (call.Last(group) is not var (timeS, g))
                    {
                        return null;
                    }

                    bool told = g.HasQueueMs && g.Streams > 0;
                    senders.Add(new(timeS, g.BusyUs, g.ReceiverLimitedUs, g.BufferLimitedUs, told ? g.LeastRttMs / g.Streams : null, told ? g.QueueMs / g.Streams : null)
                    {
                        UnsentBytes = g.HasUnsentBytes ? g.UnsentBytes : null,
                        InFlightBytes = g.HasInFlightBytes ? g.InFlightBytes : null,
                    });
                    return new SentSoFar(timeS + call.ClockAheadS, g.SegmentsSent, g.Retransmits, g.DeliveredBytes);
                }),
            cancellationToken);
        _sendersDown = senders.Of(load.Streams);
        Result.SendersDown = _sendersDown?.ToMessage();
        Result.ShapingDown = Shape(load);
        Result.StreamsDown = (uint)load.Streams;
        Set(load.Rate?.Mbps, v => Result.DownMbps = v);
        Set(loaded, v => Result.RttLoadedDownMs = v);
        Set(load.RetransmitRatio, v => Result.RetransmitRatioDown = v);
    });

    internal Task UpAsync(LoadTime length, CancellationToken cancellationToken) => GuardAsync(async () =>
    {
        var senders = new SenderSeries();
        var (load, loaded) = await LoadAsync(
            "up",
            SpeedKind.Upload,
            length,
            (group, started) => new LoadFigures(
                () => call.Last(group) is var (timeS, g) ? (timeS, g.ReceivedBytes) : null,
                () =>
                {
                    double now = clock.NowS;
                    TcpInfo[] tcp = [.. started.Select(s => s.Tcp())];
                    TcpInfo[] open = [.. started.Where(s => s.Running).Select(s => s.Tcp()).Where(t => t.MinRtt is not null)];
                    senders.Add(new(
                        now,
                        tcp.Sum(t => t.Busy.TotalMicroseconds),
                        tcp.Sum(t => t.LimitedByReceiver.TotalMicroseconds),
                        tcp.Sum(t => t.LimitedBySendBuffer.TotalMicroseconds),
                        open.Length == 0 ? null : open.Average(t => t.MinRtt!.Value.TotalMilliseconds),
                        open.Length == 0 ? null : open.Average(t => Math.Max(0, (t.Rtt - t.MinRtt!.Value).TotalMilliseconds)))
                    {
                        UnsentBytes = open.Sum(t => (double)t.NotSentBytes),
                        InFlightBytes = open.Sum(t => (double)t.UnacknowledgedSegments * t.SegmentBytes),
                    });
                    return new SentSoFar(now, tcp.Sum(t => (double)t.DataSegmentsSent), tcp.Sum(t => (double)t.Retransmits), tcp.Sum(t => (double)t.BytesDelivered));
                }),
            cancellationToken);
        _sendersUp = senders.Of(load.Streams);
        Result.SendersUp = _sendersUp?.ToMessage();
        Result.ShapingUp = Shape(load);
        Result.StreamsUp = (uint)load.Streams;
        Set(load.Rate?.Mbps, v => Result.UpMbps = v);
        Set(loaded, v => Result.RttLoadedUpMs = v);
        Set(load.RetransmitRatio, v => Result.RetransmitRatioUp = v);
    });

    /// <summary>Ends the probes; the result is whole then.</summary>
    public async ValueTask DisposeAsync()
    {
        await _probing.CancelAsync();
        await _probes;
        _probing.Dispose();
        loads.Forget(path.Interface);
        double?[] both = [Result.HasRetransmitRatioDown ? Result.RetransmitRatioDown : null, Result.HasRetransmitRatioUp ? Result.RetransmitRatioUp : null];
        Set(both.Max(), v => Result.RetransmitRatio = v);
    }

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
            if (load.Rate is { Mbps: var rate } && load.RetransmitRatio > WorthALook)
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

    /// <summary>Nothing more is measured on it alone: flows may begin on it again.</summary>
    internal void EndLoad() => loads.EndLoad(path.Interface);

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

    private void Idle(double began, double ended)
    {
        var icmp = _icmp.Between(began, ended);
        var tcp = _tcp.Between(began + WarmUpS, ended);
        double? icmpMs = RoundTrips.Median(icmp);
        double? tcpMs = RoundTrips.Median(tcp);
        bool useIcmp = icmpMs is not null && !(tcpMs + IcmpExcessMs < icmpMs);
        _best = useIcmp ? _icmp : _tcp;
        var best = useIcmp ? icmp : tcp;
        if ((useIcmp ? icmpMs : tcpMs) is not { } median)
        {
            throw new IOException("no answer to probes of the idle line");
        }

        _idleS = median / 1000;
        loads.Know(path.Interface, median);
        Result.RttIdleMs = median;
        Result.RttMinMs = best.Min();
        Set(RoundTrips.Jitter(best), v => Result.JitterMs = v);
        Set(_icmp.LossBetween(began, ended), v => Result.LossRatio = v);
    }

    private async Task ProbeAsync(SpeedStream echo)
    {
        await Task.WhenAll(
            IcmpProbe.RunAsync(path.Interface, path.Source, path.Vps.Address, _icmp, clock, _probing.Token),
            TcpEchoProbe.RunAsync(echo, _tcp, clock, _probing.Token));
        await echo.DisposeAsync();
    }

    private async Task GuardAsync(Func<Task> work)
    {
        if (Result.HasError)
        {
            return;
        }

        try
        {
            await work();
        }
        catch (IOException e)
        {
            Result.Error = e.Message;
        }
    }

    /// <summary>When a bucket is empty a burst's worth is lost, and what comes in order stands still and jumps; what arrives at all falls and stays.</summary>
    private static SpeedShaping? Shape(LoadResult load)
    {
        if ((Shaping.Find(load.Delivered) ?? Shaping.Find(load.Series)) is not { } burst)
        {
            return null;
        }

        // The steady rate where that is of the time behind the burst: what waited behind a loss in it arrives later, and is no part of what the line does then.
        double after = load.Rate is { IsSteady: true, Mbps: var steady } && steady < (burst.Mbps + burst.AfterMbps) / 2 ? steady : burst.AfterMbps;
        return new SpeedShaping { BurstMbps = burst.Mbps, BurstS = burst.Seconds, BurstBytes = burst.Bytes, AfterMbps = after };
    }

    private SpeedHeader Header(SpeedKind kind, SpeedLoad load, uint group) => new(kind, load, group, call.RunId, SpeedProtocol.LongestStream);

    private static void Set(double? value, Action<double> set)
    {
        if (value is { } known)
        {
            set(known);
        }
    }
}
