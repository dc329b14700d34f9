using Aggregator.Flows;

namespace Aggregator.Trunk;

/// <summary>
/// The trunk without sockets, threads and clock: what goes into it and what comes out of it are calls, and the time is an argument
/// (microseconds on any scale that only goes forward). The shell (<see cref="TrunkSession"/>) calls it under one lock; the simulation
/// drives two of them against modelled links.
///
/// Out: a writer's bytes wait in their stream (<see cref="Write"/>) → a lane that has room asks <see cref="Fill"/> and takes, by the
/// scheduler's rule, the frame that it can have there in time → the frame is noted in the lane's list → the peer acknowledges the count of
/// frames that came on that lane → the bytes are dropped. Lanes keep their order, so a count says it all.
/// In: <see cref="Received"/> takes a lane's bytes apart, puts data into its stream by offset, and counts.
/// Files: this one has the lanes; Send, Queues, Acks, Receive, Calls, Streams, Datagrams, Watch (stalls, resending) and Guard the rest.
/// </summary>
internal sealed partial class TrunkEngine
{
    private readonly TrunkRole _role;
    private readonly IFrameScheduler _scheduler;
    private readonly TrunkBudget _budget;
    private readonly BudgetShare _share;
    private readonly TrunkOptions _options;
    private readonly ITrunkEvents _events;
    private readonly List<EngineLane> _lanes = [];
    private readonly Dictionary<uint, EngineStream> _streams = [];

    /// <summary>What waits for a lane because there is none.</summary>
    private Fifo<Outgoing> _homeless;

    private LaneView[] _views = new LaneView[4];
    private EngineLane? _best;
    private EngineLane? _second;
    private bool _isBackupTime;

    internal TrunkEngine(TrunkRole role, IFrameScheduler scheduler, TrunkBudget budget, TrunkOptions options, ITrunkEvents events)
    {
        _role = role;
        _scheduler = scheduler;
        _budget = budget;
        _share = budget.Join();
        _options = options;
        _events = events;
    }

    internal IReadOnlyList<EngineLane> Lanes => _lanes;

    internal IReadOnlyDictionary<uint, EngineStream> Streams => _streams;

    internal long ReorderBytes { get; private set; }

    internal long MaxReorderBytes { get; private set; }

    internal long ResentBytes { get; private set; }

    internal long DuplicateBytes { get; private set; }

    internal long BufferLimitBytes => _budget.Bytes;

    /// <summary>Second copies of streams of the redundant class; not in <see cref="ResentBytes"/>.</summary>
    internal long RedundantBytes { get; private set; }

    /// <summary>The most since the last call; for measurements of one run.</summary>
    internal long TakeReorderPeak()
    {
        long peak = _reorderPeak;
        _reorderPeak = ReorderBytes;
        return peak;
    }

    private long _reorderPeak;

    /// <summary>Payload that was delivered to the peer, once each.</summary>
    internal long DeliveredBytes { get; private set; }

    /// <summary>Some lane carries.</summary>
    internal bool IsCarrying => _lanes.Exists(l => l.IsWell);

    internal EngineLane AddLane(uint id, LaneRole role, long nowUs)
    {
        var lane = new EngineLane(id, role, new FrameParser()) { ProgressAtUs = nowUs };
        _lanes.Add(lane);
        Rank(nowUs);
        HouseHomeless(nowUs);
        WakeAll();
        return lane;
    }

    /// <summary>The lane is lost or closed: what it carried goes again on the others.</summary>
    internal void RemoveLane(EngineLane lane, long nowUs)
    {
        if (lane.IsGone)
        {
            return;
        }

        lane.IsGone = true;
        _lanes.Remove(lane);
        AcknowledgeAgain();
        Rank(nowUs);
        SendElsewhere(lane, nowUs);
        while (lane.Urgent.Count > 0)
        {
            PushAgain(PopUrgent(lane), nowUs);
        }

        lane.Sent.Clear();
        DropCopies(lane);
        WakeAll();
    }

    internal void Retire(EngineLane lane, long nowUs)
    {
        lane.IsRetiring = true;
        Rank(nowUs);
        MoveUrgent(lane, nowUs);

        WakeAll();
    }

    /// <summary>Whether a retiring lane has nothing left to say.</summary>
    internal static bool IsDrained(EngineLane lane) => lane.Sent.Count == 0 && lane.Urgent.Count == 0;

    /// <summary>Changes a lane's role here and tells the peer.</summary>
    internal void SetRole(EngineLane lane, LaneRole role, long nowUs)
    {
        lane.Role = role;
        Push(new Outgoing(TrunkFrameType.Role, lane.Id, (byte)role, 0, 0, null), nowUs);
        Rank(nowUs);
        WakeAll();
    }

    /// <summary>Tells the peer on all lanes that the session is over.</summary>
    internal void SayGoodbye(GoodbyeCode code)
    {
        foreach (var lane in _lanes)
        {
            lane.Urgent.Clear();
            lane.UrgentBytes = 0;
            lane.Urgent.Enqueue(new Outgoing(TrunkFrameType.Goodbye, 0, (byte)code, 0, 0, null));
            _events.LaneHasWork(lane);
        }
    }

    /// <summary>What the kernel says of the lane. Before each <see cref="Fill"/>, where it says anything.</summary>
    internal void Read(EngineLane lane, in LaneReading reading, long nowUs)
    {
        lane.Estimate.Read(reading, nowUs);
        NoteLosses(lane, nowUs);
        lane.Window.Read(reading, lane.Estimate.RateBytesPerSecond, lane.IsFull, nowUs);
        long heard = Math.Max(lane.Estimate.KernelProgressAtUs, lane.Estimate.HeardAtUs ?? 0);
        bool quiet = reading.InFlightBytes > 0 && nowUs - Math.Max(heard, _resumedAtUs) > QuietAfterUs(lane);
        if (quiet != lane.IsQuiet)
        {
            lane.IsQuiet = quiet;
            AcknowledgeAgain();
            Rank(nowUs);
            if (quiet)
            {
                MoveUrgent(lane, nowUs);
                _events.LaneHasWork(_best ?? lane);
            }
        }
    }

    private static void NoteLosses(EngineLane lane, long nowUs)
    {
        long retransmitted = lane.Estimate.Reading.RetransmittedSegments;
        if (retransmitted > lane.RetransmittedSeen)
        {
            // What the handshake cost says nothing of the line as it is.
            lane.LossSeenAtUs = lane.RetransmittedSeen < 0 ? lane.LossSeenAtUs : nowUs;
            lane.RetransmittedSeen = retransmitted;
        }
    }

    /// <summary>Normal lanes that are well take part; without one the backups; without any lane that is well, all that there are.</summary>
    private bool TakesPart(EngineLane lane) => _isBackupTime
        ? !lane.IsGone && !lane.IsRetiring && (lane.IsWell || _noneWell)
        : IsFirstChoice(lane);

    private static bool IsFirstChoice(EngineLane lane) =>
        lane.IsWell && lane.Role == LaneRole.Normal && !lane.Estimate.Reading.OffOwnPath && lane.Guard.DemotedUntilUs is null;

    private bool _noneWell;

    /// <summary>
    /// A lane that repairs what it lost takes one round trip more, or several; one that is merely long does not. Without a loss, or
    /// where it is a matter of milliseconds, what takes long is a reader slower than the lanes: between two quick machines, where the memory for what is
    /// ahead lasts for little time, the trunk then had half of its lanes, and of their rate.
    /// </summary>
    private const double TooLateRtts = 1.25;
    private const double TooLateUs = 500_000;

    /// <summary>A lane of more than this part of the others' rate is not replaced by their second copies (<see cref="RescuePart"/>, which several late lanes share).</summary>
    private const double ReplacedPart = RescuePart / 2;

    /// <summary>Brings the views and the two quickest lanes up to date.</summary>
    private void Rank(long nowUs)
    {
        _rankedAtUs = nowUs;
        _isBackupTime = true;
        _noneWell = true;
        foreach (var lane in _lanes)
        {
            _isBackupTime &= !IsFirstChoice(lane);
            _noneWell &= !lane.IsWell;
        }

        if (_views.Length < _lanes.Count)
        {
            _views = new LaneView[_lanes.Count * 2];
        }

        _best = null;
        _second = null;
        double best = double.MaxValue;
        double second = double.MaxValue;
        for (int i = 0; i < _lanes.Count; i++)
        {
            var lane = _lanes[i];
            bool takes = TakesPart(lane);
            if (lane.Sent.Count == 0)
            {
                lane.Estimate.Rest(nowUs);
            }

            double arrival = lane.Estimate.ArrivalUs(nowUs);
            _views[i] = new LaneView(Math.Max(1, lane.Estimate.RateBytesPerSecond), arrival + lane.Estimate.LatenessUs, takes);
            if (!takes)
            {
                continue;
            }

            // A lane that carries for the first time has only been guessed at; its first frame may be anybody's.
            if (arrival < best)
            {
                (_second, second) = (_best, best);
                (_best, best) = (lane, arrival);
            }
            else if (arrival < second)
            {
                (_second, second) = (lane, arrival);
            }
        }

        double total = Math.Max(1, TotalRate());
        double mostUs = _scheduler.MaxAheadUs(total);
        for (int i = 0; i < _lanes.Count; i++)
        {
            // A place is given no further behind than that; what comes later than its place is not waited for.
            var lane = _lanes[i];
            double latenessUs = lane.Estimate.LatenessUs;
            double behindUs = _views[i].ArrivalUs - latenessUs - best;
            lane.SpareUs = Math.Clamp(mostUs - behindUs, 0, latenessUs);
            lane.IsTooLate = behindUs > Math.Max(mostUs, TooLateUs)
                && nowUs - lane.LossSeenAtUs < LossMemoryUs && lane.Estimate.DelayUs > TooLateRtts * lane.Estimate.RttUs
                && _views[i].RateBytesPerSecond > ReplacedPart * (total - _views[i].RateBytesPerSecond);
        }

        _backlogBytes = _scheduler.BacklogBytes(_views.AsSpan(0, _lanes.Count));
    }

    private long _rankedAtUs;
    private double _backlogBytes;

    private void WakeAll()
    {
        foreach (var lane in _lanes)
        {
            lane.WakeAtUs = 0;
            _events.LaneHasWork(lane);
        }
    }

    /// <summary>Wakes the lanes that could take what has come, and leaves those alone that wait for room.</summary>
    private void WakeFor(EngineStream stream, long nowUs)
    {
        foreach (var lane in _lanes)
        {
            if (lane.WakeAtUs <= nowUs || (lane == _best && stream.QuickTokens > 0) || (stream.FlowClass == FlowClass.Redundant && (lane == _best || lane == _second)))
            {
                _events.LaneHasWork(lane);
            }
        }
    }

    private void HouseHomeless(long nowUs)
    {
        for (int i = _homeless.Count; i > 0 && _best is not null; i--)
        {
            Push(_homeless.Dequeue(), nowUs);
        }
    }

    /// <summary>Queues a control frame on the two quickest lanes; whichever comes first counts, and both are harmless.</summary>
    private void Push(in Outgoing item, long nowUs)
    {
        if (nowUs - _rankedAtUs > RankAgainUs || _best is null)
        {
            Rank(nowUs);
        }

        if (_best is null)
        {
            if (_homeless.Count >= MaxQueuedFrames)
            {
                throw new TrunkProtocolException("too much waits for a lane", endsSession: true);
            }

            _homeless.Enqueue(item);
            return;
        }

        Push(_best, item);
        if (_second is { Urgent.Count: < MaxQueuedCopies } && item.Type != TrunkFrameType.Data)
        {
            Push(_second, item with { IsCopy = true });
        }
    }

    /// <summary>Its lane failed.</summary>
    private void PushAgain(in Outgoing item, long nowUs)
    {
        if (!item.IsCopy)
        {
            Push(item, nowUs);
        }
        else if (_best is { Urgent.Count: < MaxQueuedCopies } best)
        {
            Push(best, item);
        }
    }

    private void Push(EngineLane lane, in Outgoing item)
    {
        if (lane.Urgent.Count >= MaxQueuedFrames)
        {
            throw new TrunkProtocolException("the peer makes us say more than it reads", endsSession: true);
        }

        lane.Urgent.Enqueue(item);
        lane.UrgentBytes += BytesOf(item);
        _events.LaneHasWork(lane);
    }

    private static Outgoing PopUrgent(EngineLane lane)
    {
        var item = lane.Urgent.Dequeue();
        lane.UrgentBytes -= BytesOf(item);
        return item;
    }

    private static long BytesOf(in Outgoing item) => item.Type == TrunkFrameType.Data ? item.End - item.Start : 0;
}
