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
internal sealed partial class LinkTest(
    SpeedPath path, SpeedDialer dialer, SpeedCall call, SpeedClock clock, PhaseNumbers groups, LinkLoads loads, bool hasty, Action<string, double?, double?> progress)
    : IAsyncDisposable
{
    private const int RateStreams = 8;

    /// <summary>Of two on one line, one at a time is held back by a loss of its own.</summary>
    private const int FirstStreams = 2;

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

    internal bool IsFar => SpeedPlan.IsFar(_idleS);

    private int BeginWith => IsFar ? RateStreams : FirstStreams;

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
                },
                FirstStreams: BeginWith),
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
                },
                FirstStreams: BeginWith),
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

    /// <summary>Nothing more is measured on it alone: flows may begin on it again.</summary>
    internal void EndLoad() => loads.EndLoad(path.Interface);

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
