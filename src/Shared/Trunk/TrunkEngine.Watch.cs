namespace Aggregator.Trunk;

/// <content>What has to be looked after while time passes: overdue frames, lanes that fell silent, acknowledgements to be sent.</content>
internal sealed partial class TrunkEngine
{
    /// <summary>A tick that comes so late was held up by our own machine; nothing is concluded from the time in between.</summary>
    private const long HiccupUs = 25_000;

    /// <summary>A frame counts as overdue so long after it was expected.</summary>
    private const long OverdueUs = 4_000;

    /// <summary>
    /// A frame that is not late but will come so much later than another lane could bring it is not waited for. A hole of some
    /// 20 ms costs the reader little: what came behind it is there at once when it closes.
    /// </summary>
    private const double HopelessFactor = 2;
    private const double HopelessUs = 20_000;

    /// <summary>There, back with the word of the loss, and there again.</summary>
    private const double RepairRtts = 1.5;

    /// <summary>
    /// A lane gives at most this part of its rate to second copies, and so much of it at once: a small quick lane must not spend itself on what a
    /// large slow one will bring all the same.
    /// </summary>
    private const double RescuePart = 0.25;
    private const double RescueBurstSeconds = 0.4;

    /// <summary>Second copies that wait on one lane; more would be no rescue.</summary>
    private const double MaxRescueWaitUs = 20_000;

    /// <summary>Frames looked at for one lane and tick: 20 MB under way on slow lanes, in some 20 us.</summary>
    private const int MaxLooked = 4096;

    /// <summary>A lane that is quiet or stalled is looked at so often.</summary>
    private const long LookAgainUs = 20_000;

    private long _lastTickUs;
    private long _resumedAtUs;
    private bool _isActive;

    /// <summary>To be called every millisecond or so while it returns true; after that when something was called that could have changed it.</summary>
    internal bool Tick(long nowUs)
    {
        long lastTickUs = _lastTickUs;
        if (_lastTickUs != 0 && nowUs - _lastTickUs > HiccupUs)
        {
            _resumedAtUs = nowUs;
        }

        _lastTickUs = nowUs;
        bool busy = _quick.Count > 0 || _bulk.Count > 0 || _firstAckVersion != _ackVersion || (_second is not null && _secondAckVersion != _ackVersion);
        Rank(nowUs);
        HouseHomeless(nowUs);
        double rate = TotalRate();
        for (int i = 0; i < _lanes.Count; i++)
        {
            double perSecond = _views[i].RateBytesPerSecond * RescuePart;
            _lanes[i].RescueTokens = Math.Min(
                _lanes[i].RescueTokens + (perSecond * Math.Clamp(nowUs - lastTickUs, 0, HiccupUs) / 1e6),
                Math.Max(TrunkFrame.MaxDataBytes, perSecond * RescueBurstSeconds));
        }

        for (int i = 0; i < _lanes.Count; i++)
        {
            var lane = _lanes[i];
            CheckStall(lane, nowUs);
            Rescue(lane, rate, nowUs);
            Ping(lane, nowUs);
            busy |= lane.Sent.Count > 0 || lane.Urgent.Count > 0 || lane.IsQuiet || lane.StalledSinceUs is not null;
            bool due = lane.WakeAtUs != 0 && lane.WakeAtUs <= nowUs;
            if (due || (lane == _best && IsFirstAckDue(nowUs)) || (lane == _second && IsSecondAckDue(nowUs)))
            {
                lane.WakeAtUs = 0;
                _events.LaneHasWork(lane);
            }
            else if ((lane.IsQuiet || lane.StalledSinceUs is not null) && nowUs - lane.Estimate.ReadAtUs > LookAgainUs)
            {
                _events.LaneHasWork(lane);
            }
        }

        if (_share.MustReset)
        {
            // Another session's bytes made it too much, and this one has more than its part.
            _nowUs = nowUs;
            ResetLargest();
        }

        TickGuard(nowUs);
        busy |= TickDatagrams(nowUs);
        _isActive = busy;
        return busy;
    }

    /// <summary>Pings are only sent while this is called; for a session without traffic now and then is enough.</summary>
    internal bool IsActive => _isActive;

    /// <summary>
    /// Frames that the reader waits for, or will before another lane could bring them, and that their own lane does not bring in time
    /// go again on the lane that brings them first.
    /// </summary>
    private void Rescue(EngineLane lane, double totalRate, long nowUs)
    {
        if (lane.StalledSinceUs is not null || _lanes.Count < 2)
        {
            return;
        }

        if (FindQuicker(lane, nowUs, out double soonUs) is not { } other)
        {
            return;
        }

        double soonBytes = (soonUs * totalRate / 1e6 / Math.Max(1, _bulk.Count)) + TrunkFrame.MaxDataBytes;
        lane.SettledCount = Math.Max(lane.SettledCount, lane.AcknowledgedCount);
        int first = (int)(lane.SettledCount - lane.AcknowledgedCount);
        for (int i = first; i < lane.Sent.Count && i < first + MaxLooked; i++)
        {
            ref var sent = ref lane.Sent[i];
            if (sent.IsAgain)
            {
                if (lane.SettledCount == lane.AcknowledgedCount + i)
                {
                    // Whatever is settled at the front is not looked at again.
                    lane.SettledCount++;
                }

                continue;
            }

            // Places on a lane do not only rise: what waited for another lane may have been taken by this one later.
            var stream = sent.Content.Stream;
            if (sent.Content.Type == TrunkFrameType.Data
                && (stream!.IsGone || sent.Content.Start > stream.DeliveredTo + soonBytes || stream.Delivered.IsEmpty))
            {
                continue;
            }

            // Late: by more than half of what another lane would take. Hopeless: it will be, by much more than that.
            double leftUs = Math.Max(sent.ExpectedAtUs, _resumedAtUs) - nowUs;
            bool isLate = -leftUs > OverdueUs + Math.Max(soonUs / 2, Math.Min(lane.Estimate.DeviationUs, soonUs))
                && (-leftUs > OverdueUs + sent.SpareUs || RepairLeftUs(lane, nowUs) > soonUs + HopelessUs);
            bool isHopeless = leftUs > (HopelessFactor * soonUs) + HopelessUs;
            if (!isLate && !isHopeless)
            {
                continue;
            }

            if (sent.Content.Type == TrunkFrameType.Data)
            {
                if (stream!.IsDelivered(sent.Content.Start, sent.Content.End))
                {
                    continue;
                }

                lane.ResentBytes += sent.Content.End - sent.Content.Start;
            }

            sent.IsAgain = true;
            other.RescueTokens -= BytesOf(sent.Content);
            Push(other, sent.Content);
            if (FindQuicker(lane, nowUs, out soonUs) is not { } next)
            {
                return;
            }

            other = next;
        }
    }

    /// <summary>
    /// How long what waits on a lane behind a lost segment still waits: the oldest frame comes a round trip later than it would have, for each time that it is
    /// lost, and all others with it. On lines that lose often nearly every frame is late by that; a second copy, which takes longer, is then only
    /// a part of the rate lost.
    /// </summary>
    private static double RepairLeftUs(EngineLane lane, long nowUs)
    {
        ref var oldest = ref lane.Sent[0];
        double rttUs = lane.Estimate.RttUs;
        double ageUs = nowUs - oldest.SentAtUs - oldest.QueueUs;
        return ageUs < RepairRtts * rttUs ? (RepairRtts * rttUs) - ageUs : rttUs - ((ageUs - (RepairRtts * rttUs)) % rttUs);
    }

    /// <summary>The other lane that would bring something soonest, if any has room for it.</summary>
    private EngineLane? FindQuicker(EngineLane than, long nowUs, out double soonUs)
    {
        EngineLane? found = null;
        soonUs = double.MaxValue;
        for (int i = 0; i < _lanes.Count; i++)
        {
            var lane = _lanes[i];
            if (lane == than || !_views[i].Takes || lane.RescueTokens < 0)
            {
                continue;
            }

            double waitUs = lane.UrgentBytes * 1e6 / _views[i].RateBytesPerSecond;
            double arrivalUs = lane.Estimate.ArrivalUs(nowUs) + waitUs;
            if (waitUs < MaxRescueWaitUs && arrivalUs < soonUs)
            {
                (found, soonUs) = (lane, arrivalUs);
            }
        }

        return found;
    }

    private double TotalRate()
    {
        double total = 0;
        for (int i = 0; i < _lanes.Count; i++)
        {
            if (_views[i].Takes)
            {
                total += _views[i].RateBytesPerSecond;
            }
        }

        return total;
    }
}
