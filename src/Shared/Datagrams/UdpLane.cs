using Aggregator.Flows;

namespace Aggregator.Datagrams;

/// <summary>
/// What is known of one WAN's way there and back, from our own sequence numbers and the other end's reports. Under the lock of <see cref="UdpLanes"/>.
/// </summary>
internal sealed class UdpLane(byte id, IUdpOutlet? outlet)
{
    /// <summary>Datagrams whose times are remembered: what is under way at 400 Mbit/s and 100 ms. A power of two.</summary>
    private const int Times = 4096;

    /// <summary>Losses are averaged over so many datagrams.</summary>
    private const double LossHorizon = 200;

    /// <summary>Beyond what the round trip and the other's reports explain, for a busy machine at either end.</summary>
    private const long DoubtUs = 15_000;
    private const long SilenceUs = 60_000;

    /// <summary>A lane that was silent is not believed at its first sign of life.</summary>
    private const long HoldUs = 500_000;

    /// <summary>Whether long datagrams come through is tried so often: while they did not, and while they do.</summary>
    private const long ProbeAgainUs = 1_000_000;
    private const long ProbeEveryUs = 10_000_000;

    private readonly long[] _sentUs = new long[Times];
    private readonly long[] _sentTo = new long[Times];
    private readonly ReplayWindow _window = new();
    private ulong _acked;
    private ulong _ackedReceived;
    private long _firstUnackedUs;
    private long _wellFromUs;
    private double _rttVarUs;

    internal byte Id { get; } = id;

    /// <summary>Null: not known yet (VPS).</summary>
    internal IUdpOutlet? Outlet { get; set; } = outlet;

    internal bool IsBackup { get; set; }

    /// <summary>The last of ours; 0: none.</summary>
    internal ulong Sequence { get; private set; }

    internal long LastReportUs { get; set; } = long.MinValue / 2;

    /// <summary>Packets went or came over it so lately that it is watched closely.</summary>
    internal long LastPacketUs { get; set; } = long.MinValue / 2;

    /// <summary>0: no answer yet.</summary>
    internal double RttUs { get; private set; }

    internal double MinRttUs { get; private set; } = double.MaxValue;

    /// <summary>As the other end sees what we send; 0 to 1.</summary>
    internal double LossOut { get; private set; }

    internal double JitterOutUs { get; private set; }

    /// <summary>As we see what comes.</summary>
    internal double JitterInUs { get; private set; }

    internal double LossIn { get; private set; }

    internal long SentBytes { get; private set; }

    internal long ReceivedBytes { get; private set; }

    internal ulong Highest { get; private set; }

    internal ulong Received { get; private set; }

    /// <summary>Its part of what is spread, 0 to 1: what it takes without queue or loss.</summary>
    internal double Weight { get; private set; } = 1;

    /// <summary>Of <see cref="RealTimePolicy.Spread"/>'s round.</summary>
    internal double Turn { get; set; }

    private uint _echoUs;
    private long _echoAtUs;
    private bool _hasEcho;
    private long _lastTransitUs;
    private ulong _lossFromHighest;
    private ulong _lossFromReceived;

    /// <summary>What else than real-time packets may be under way.</summary>
    internal UdpWindow Window { get; } = new();

    /// <summary>Not reported yet.</summary>
    internal long UnderWayBytes => SentBytes - _ackedTo;

    /// <summary>Bulk that came since the last report on it.</summary>
    internal int UnreportedBulk { get; set; }

    /// <summary>The longest datagram that is known to come through.</summary>
    internal int LongestBytes { get; private set; } = UdpLanes.MaxDatagramBytes;

    /// <summary>The longest that came.</summary>
    internal int LongestReceivedBytes { get; private set; }

    private long _ackedTo;
    private ulong _probe;
    private int _probeBytes;
    private long _probedAtUs = long.MinValue / 2;

    internal bool IsKnown => RttUs > 0 && Outlet is not null;

    /// <summary>What is sent now comes to the other end, as far as can be known.</summary>
    /// <param name="reportUs">How often the other end reports.</param>
    internal bool IsWell(long nowUs, long reportUs) => IsKnown && nowUs >= _wellFromUs && UnackedUs(nowUs) <= Expected(reportUs) + SilenceUs;

    /// <summary>An answer should be there, but it is early to say so.</summary>
    internal bool IsInDoubt(long nowUs, long reportUs) => UnackedUs(nowUs) > Expected(reportUs) + DoubtUs;

    /// <summary>What a packet may take on it: half of a round trip, its spread, and a second for each lost.</summary>
    internal double ScoreUs => (RttUs / 2) + (2 * Math.Max(JitterOutUs, _rttVarUs / 2)) + (LossOut * 1_000_000);

    /// <summary>From now on the other end reports more often: what it has not yet told was not due before.</summary>
    internal void Quicken(long nowUs) => _firstUnackedUs = _firstUnackedUs == 0 ? 0 : nowUs;

    /// <summary>Notes that one more leaves, and numbers it.</summary>
    internal ulong Send(int bytes, long nowUs)
    {
        SentBytes += bytes;
        ulong sequence = ++Sequence;
        _sentUs[sequence & (Times - 1)] = nowUs;
        _sentTo[sequence & (Times - 1)] = SentBytes;
        _firstUnackedUs = _firstUnackedUs == 0 ? nowUs : _firstUnackedUs;
        return sequence;
    }

    /// <summary>Takes in one of the other end's. False: it came before.</summary>
    /// <param name="isNewest">None later was there before.</param>
    internal bool TryReceive(in UdpHeader header, int bytes, long nowUs, out bool isNewest)
    {
        isNewest = header.Sequence > Highest;
        if (!_window.TryAccept(header.Sequence))
        {
            return false;
        }

        Received++;
        ReceivedBytes += bytes;
        LongestReceivedBytes = Math.Max(LongestReceivedBytes, bytes);
        long transit = (uint)nowUs - header.SentUs;
        if (_hasEcho)
        {
            // Both clocks wrap at 32 bits; a difference of differences is small.
            double change = Math.Abs((double)(int)(uint)(transit - _lastTransitUs));
            JitterInUs += (Math.Min(change, 1_000_000) - JitterInUs) / 16;
        }

        _lastTransitUs = transit;
        if (isNewest)
        {
            Highest = header.Sequence;
            (_echoUs, _echoAtUs, _hasEcho) = (header.SentUs, nowUs, true);
            NoteLossIn();
        }

        return true;
    }

    internal UdpReport Report(bool isBackup, long nowUs) =>
        new(isBackup, _hasEcho, _echoUs, (uint)Math.Clamp(nowUs - _echoAtUs, 0, uint.MaxValue), Highest, Received, (uint)JitterInUs);

    /// <summary>Takes in what the other end tells. What it cannot have seen is not believed.</summary>
    internal void Take(in UdpReport report, long nowUs, long reportUs)
    {
        if (!report.HasEcho || report.Highest > Sequence || report.Highest < _acked || report.Received < _ackedReceived)
        {
            return;
        }

        bool wasSilent = IsKnown && UnackedUs(nowUs) > Expected(reportUs) + SilenceUs;
        long rtt = (uint)nowUs - report.EchoUs;
        rtt = (uint)rtt - (long)report.HeldUs;
        if (rtt is > 0 and < 10_000_000)
        {
            NoteRoundTrip(rtt);
        }

        double expected = report.Highest - _acked;
        double lost = Math.Max(0, expected - (report.Received - _ackedReceived));
        if (expected > 0 && !wasSilent)
        {
            // What an outage took says nothing of the line as it is again.
            double gain = Math.Min(1, expected / LossHorizon);
            LossOut += gain * (Math.Min(1, lost / expected) - LossOut);
        }

        JitterOutUs = report.JitterUs;
        if (_probe != 0 && report.Highest >= _probe)
        {
            // Only where it was itself the newest is it known to have come.
            LongestBytes = report.Highest == _probe ? _probeBytes : LongestBytes;
            _probe = 0;
        }

        long ackedTo = Sequence - report.Highest < Times ? _sentTo[report.Highest & (Times - 1)] : _ackedTo;
        if (expected > 0 && RttUs > 0)
        {
            Window.Acknowledged(ackedTo - _ackedTo, expected, lost, rtt is > 0 and < 10_000_000 ? rtt : RttUs, nowUs);
        }

        _ackedTo = ackedTo;
        (_acked, _ackedReceived) = (report.Highest, report.Received);
        _firstUnackedUs = _acked == Sequence ? 0 : Sequence - _acked < Times ? _sentUs[(_acked + 1) & (Times - 1)] : _firstUnackedUs;
        _wellFromUs = wasSilent ? nowUs + HoldUs : _wellFromUs;
        bool takesMore = lost / Math.Max(1, expected) < 0.02 && RttUs < MinRttUs + 30_000;
        Weight = Math.Clamp(takesMore ? Weight + 0.02 : Weight * 0.8, 0.02, 1);
    }

    /// <summary>
    /// How long the next report should be, so that it shows what comes through (RFC 8899): what the host's own word allows; at the VPS, which has none, what came
    /// from the other end. Where a long one was shown to come, and the host's word has become less, the word counts.
    /// </summary>
    internal int ProbeBytes(long nowUs)
    {
        int wanted = Outlet!.LongestBytes is > 0 and var own ? own : LongestReceivedBytes;
        wanted = Math.Min(wanted, UdpLanes.LongestDatagramBytes);
        if (wanted < LongestBytes && LongestBytes > UdpLanes.MaxDatagramBytes)
        {
            LongestBytes = Math.Max(wanted, UdpLanes.MaxDatagramBytes);
        }

        return wanted > UdpLanes.MaxDatagramBytes && nowUs - _probedAtUs >= (wanted > LongestBytes ? ProbeAgainUs : ProbeEveryUs) ? wanted : 0;
    }

    /// <summary>The last that was sent shows whether so many bytes come through.</summary>
    internal void NoteProbe(int bytes, long nowUs) => (_probe, _probeBytes, _probedAtUs) = (Sequence, bytes, nowUs);

    private long UnackedUs(long nowUs) => _firstUnackedUs == 0 ? 0 : nowUs - _firstUnackedUs;

    private long Expected(long reportUs) => (long)(RttUs + (4 * _rttVarUs)) + reportUs;

    /// <summary>RFC 6298 section 2, but quicker: a queue that grows is to be seen within some packets.</summary>
    private void NoteRoundTrip(long us)
    {
        MinRttUs = Math.Min(MinRttUs, us);
        if (RttUs == 0)
        {
            (RttUs, _rttVarUs) = (us, us / 4.0);
            return;
        }

        _rttVarUs += (Math.Abs(us - RttUs) - _rttVarUs) / 8;
        RttUs += (us - RttUs) / 4;
    }

    /// <summary>Every hundred numbers: what is missing of them by then has had time to come late.</summary>
    private void NoteLossIn()
    {
        const int Window = 100;
        ulong expected = Highest - _lossFromHighest;
        if (expected >= Window)
        {
            double lost = Math.Max(0, expected - (double)(Received - _lossFromReceived));
            LossIn += 0.5 * (Math.Min(1, lost / expected) - LossIn);
            (_lossFromHighest, _lossFromReceived) = (Highest, Received);
        }
    }
}
