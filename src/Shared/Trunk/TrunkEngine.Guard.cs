namespace Aggregator.Trunk;

/// <content>
/// The guard: a lane most of whose frames have to go again on others takes more of the total than it gives. It is held back for a trial; if the total
/// is no lower without it, it stays out for a while, longer each time, and is tried again; else it takes part and is left alone for as long.
/// Only periods in which there was always something to send count.
/// </summary>
internal sealed partial class TrunkEngine
{
    /// <summary>Long enough for a few round trips of a satellite line.</summary>
    private const long GuardPeriodUs = 3_000_000;

    /// <summary>The part of a lane's bytes that went again, above which it is suspected.</summary>
    private const double SuspectedPart = 0.4;

    /// <summary>The total varies so much by itself.</summary>
    private const double NoLower = 0.98;

    private const long FirstDemotionUs = 10_000_000;
    private const int MaxDemotionDoublings = 5;

    private long _guardStartUs;
    private long _guardDelivered;
    private int _guardTicks;
    private int _guardBusyTicks;
    private EngineLane? _onTrial;
    private bool _trialSettles;

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
            if (_trialSettles)
            {
                _trialSettles = false;
            }
            else
            {
                Judge(lane, total, nowUs);
            }
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
            if (lane != _best && nowUs > lane.Guard.SpareUntilUs && part > worstPart)
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
            _trialSettles = true;
            Rank(nowUs);
        }
    }

    private void Judge(EngineLane lane, double total, long nowUs)
    {
        _onTrial = null;
        var guard = lane.Guard;
        guard.WithoutBytesPerSecond = total;
        if (total >= NoLower * guard.WithBytesPerSecond)
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

    private static long BackOffUs(EngineLane lane) => FirstDemotionUs << Math.Min(lane.Guard.Demotions, MaxDemotionDoublings);
}
