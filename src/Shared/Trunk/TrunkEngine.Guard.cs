namespace Aggregator.Trunk;

/// <content>
/// The guard: a lane most of whose frames have to go again on others takes more of the total than it gives. It is held back for a trial, then let in
/// again; if the total was higher without it than before and after, it stays out for a while, longer each time, and is tried again; else it takes
/// part and is left alone for as long. Before and after, because a total that rises by itself (a start) would speak against whoever is out meanwhile.
/// Only periods in which there was always something to send count.
/// </summary>
internal sealed partial class TrunkEngine
{
    /// <summary>Long enough for a few round trips of a satellite line.</summary>
    private const long GuardPeriodUs = 3_000_000;

    /// <summary>The part of a lane's bytes that went again, above which it is suspected.</summary>
    private const double SuspectedPart = 0.4;

    /// <summary>
    /// The total must be so much higher without the lane: it varies by itself, and a lane that adds a twentieth must not be lost to that.
    /// </summary>
    private const double Higher = 1.03;

    /// <summary>For so many periods on end: losses of a start, or of a bad moment, are over sooner.</summary>
    private const int SuspectPeriods = 3;

    private const long FirstDemotionUs = 10_000_000;
    private const int MaxDemotionDoublings = 5;

    private long _guardStartUs;
    private long _guardDelivered;
    private int _guardTicks;
    private int _guardBusyTicks;
    private EngineLane? _onTrial;
    private TrialStep _step;
    private double _without;

    private void TickGuard(long nowUs)
    {
        _guardTicks++;
        _guardBusyTicks += _bulk.Count > 0 ? 1 : 0;
        foreach (var lane in _lanes)
        {
            if (lane.Guard.DemotedUntilUs < nowUs && lane != _onTrial)
            {
                lane.Guard.DemotedUntilUs = null;
                _events.LaneGuarded(lane);
                WakeAll();
            }
        }

        if (nowUs - _guardStartUs < GuardPeriodUs)
        {
            return;
        }

        double total = (DeliveredBytes - _guardDelivered) * 1e6 / (nowUs - _guardStartUs);
        bool busy = _guardBusyTicks > _guardTicks * 0.8 && _lastGuardTickUs > 0;
        _lastGuardTickUs = nowUs;
        if (_onTrial is { IsGone: true })
        {
            _onTrial = null;
        }

        if (!busy)
        {
            // Nothing can be said; a trial goes on when there is traffic again.
        }
        else if (_onTrial is { } lane)
        {
            GoOn(lane, total, nowUs);
        }
        else
        {
            Suspect(total, nowUs);
        }

        _guardStartUs = nowUs;
        _guardDelivered = DeliveredBytes;
        _guardTicks = 0;
        _guardBusyTicks = 0;
        foreach (var each in _lanes)
        {
            each.Guard.SentAtStart = each.SentPayloadBytes;
            each.Guard.ResentAtStart = each.ResentBytes;
        }
    }

    private long _lastGuardTickUs;

    private void Suspect(double total, long nowUs)
    {
        EngineLane? worst = null;
        double worstPart = SuspectedPart;
        int choices = 0;
        foreach (var lane in _lanes)
        {
            if (!IsFirstChoice(lane))
            {
                continue;
            }

            choices++;
            double sent = lane.SentPayloadBytes - lane.Guard.SentAtStart;
            double part = sent > 0 ? (lane.ResentBytes - lane.Guard.ResentAtStart) / sent : 0;
            lane.Guard.SuspectPeriods = part > SuspectedPart ? lane.Guard.SuspectPeriods + 1 : 0;
            if (lane != _best && nowUs > lane.Guard.SpareUntilUs && part > worstPart && lane.Guard.SuspectPeriods >= SuspectPeriods)
            {
                (worst, worstPart) = (lane, part);
            }
        }

        if (worst is not null && choices > 1)
        {
            worst.Guard.WithBytesPerSecond = total;
            worst.Guard.WithoutBytesPerSecond = null;
            worst.Guard.DemotedUntilUs = nowUs + BackOffUs(worst);
            _onTrial = worst;
            _step = TrialStep.Leaves;
            Rank(nowUs);
        }
    }

    /// <summary>One period after the other: out, measured, in again, measured.</summary>
    private void GoOn(EngineLane lane, double total, long nowUs)
    {
        switch (_step)
        {
            case TrialStep.Leaves:
                _step = TrialStep.Without;
                break;
            case TrialStep.Without:
                _without = total;
                if (total < Higher * lane.Guard.WithBytesPerSecond)
                {
                    Judge(lane, isHarmful: false, nowUs);
                    break;
                }

                lane.Guard.DemotedUntilUs = null;
                _step = TrialStep.Returns;
                Rank(nowUs);
                WakeAll();
                break;
            case TrialStep.Returns:
                _step = TrialStep.With;
                break;
            default:
                lane.Guard.WithBytesPerSecond = Math.Max(total, lane.Guard.WithBytesPerSecond ?? 0);
                Judge(lane, _without >= Higher * lane.Guard.WithBytesPerSecond, nowUs);
                break;
        }
    }

    private void Judge(EngineLane lane, bool isHarmful, long nowUs)
    {
        _onTrial = null;
        var guard = lane.Guard;
        guard.WithoutBytesPerSecond = _without;
        if (isHarmful)
        {
            guard.DemotedUntilUs = nowUs + BackOffUs(lane);
            guard.Demotions++;
        }
        else
        {
            guard.DemotedUntilUs = null;
            guard.SpareUntilUs = nowUs + BackOffUs(lane);
            guard.Demotions = 0;
            WakeAll();
        }

        _events.LaneGuarded(lane);
        Rank(nowUs);
    }

    private enum TrialStep
    {
        /// <summary>What it still had under way arrives.</summary>
        Leaves,
        Without,
        Returns,
        With,
    }

    private static long BackOffUs(EngineLane lane) => FirstDemotionUs << Math.Min(lane.Guard.Demotions, MaxDemotionDoublings);
}
