namespace Aggregator.Trunk;

/// <content>What has to be looked after while time passes: overdue frames, lanes that fell silent, acknowledgements to be sent.</content>
internal sealed partial class TrunkEngine
{
    /// <summary>A tick that comes so late was held up by our own machine; nothing is concluded from the time in between.</summary>
    private const long HiccupUs = 25_000;

    /// <summary>What acknowledgements take on top of the way: both ends' ticks and scheduling.</summary>
    private const long GraceUs = 10_000;

    /// <summary>How old the kernel's word may be when a lane is about to be given up, and how long we wait for a newer one.</summary>
    private const long FreshUs = 5_000;
    private const long MaxAgeUs = 60_000;

    /// <summary>A lane whose peer answers, but not for what we sent: so many times the usual patience.</summary>
    private const long HalfDeadFactor = 4;

    /// <summary>A frame counts as overdue so long after it was expected.</summary>
    private const long OverdueUs = 4_000;

    /// <summary>
    /// A frame that is not late but will come so much later than another lane could bring it is not waited for. A hole of some
    /// 20 ms costs the reader little: what came behind it is there at once when it closes.
    /// </summary>
    private const double HopelessFactor = 2;
    private const double HopelessUs = 20_000;

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

    /// <summary>With streams open, lanes without traffic are pinged so often: a dead one should be known before it is needed.</summary>
    private const long PingEveryUs = 1_000_000;

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

        TickGuard(nowUs);
        busy |= TickDatagrams(nowUs);
        _isActive = busy;
        return busy;
    }

    /// <summary>Pings are only sent while this is called; for a session without traffic now and then is enough.</summary>
    internal bool IsActive => _isActive;

    private static long QuietAfterUs(EngineLane lane) => (long)Math.Max(2.5 * lane.Estimate.RttUs, lane.Estimate.RttUs + 100_000);

    private void CheckStall(EngineLane lane, long nowUs)
    {
        if (lane.StalledSinceUs is not null)
        {
            // What it was given since, while no lane was well, waits for its timers no longer than until one is.
            if (!_noneWell && lane.GivenUpCount != lane.SentCount)
            {
                GiveUp(lane, nowUs);
            }

            return;
        }

        if (lane.Sent.Count == 0 ? !IsPingLost(lane, nowUs) : !IsSilent(lane, nowUs))
        {
            return;
        }

        lane.StalledSinceUs = nowUs;
        AcknowledgeAgain();
        _events.LaneStalled(lane, true);
        Rank(nowUs);
        GiveUp(lane, nowUs);
    }

    /// <summary>Nothing is under way but a ping. Its answer waits at the peer behind all that the peer sends on the lane, and that behind what TCP repairs.</summary>
    private bool IsPingLost(EngineLane lane, long nowUs)
    {
        if (lane.PingUnansweredSinceUs == 0)
        {
            return false;
        }

        long patience = Math.Max(StallAfterUs(lane), QuietAfterUs(lane));
        long since = Math.Max(Math.Max(lane.PingUnansweredSinceUs, lane.ReceivedAtUs), _resumedAtUs);
        if (nowUs - since <= patience)
        {
            return false;
        }

        if (lane.Estimate.HeardAtUs is null)
        {
            return true;
        }

        if (MustAskKernel(lane, nowUs))
        {
            return false;
        }

        // The peer's TCP has the ping: the way there is well.
        bool arrived = lane.Estimate.Reading is { InFlightBytes: 0, UnsentBytes: 0 };
        return !arrived || nowUs - since > HalfDeadFactor * patience;
    }

    /// <summary>What is under way is not acknowledged, neither by the peer's trunk nor by its TCP.</summary>
    private bool IsSilent(EngineLane lane, long nowUs)
    {
        ref var oldest = ref lane.Sent[0];
        long patience = StallAfterUs(lane);
        long since = Math.Max(Math.Max(lane.ProgressAtUs, oldest.SentAtUs + (long)oldest.QueueUs), _resumedAtUs);
        if (nowUs - since <= patience)
        {
            return false;
        }

        if (lane.Estimate.HeardAtUs is not { } heard)
        {
            return true;
        }

        // The peer's TCP answers: losses are being repaired. Only if that takes very long is the way in our direction dead.
        return !MustAskKernel(lane, nowUs) && (nowUs - heard > patience || nowUs - since > HalfDeadFactor * patience);
    }

    /// <summary>Nobody has asked the kernel for a while: first that.</summary>
    private bool MustAskKernel(EngineLane lane, long nowUs)
    {
        long age = nowUs - lane.Estimate.ReadAtUs;
        if (age > FreshUs)
        {
            _events.LaneHasWork(lane);
        }

        return age is > FreshUs and < MaxAgeUs;
    }

    private void GiveUp(EngineLane lane, long nowUs)
    {
        lane.GivenUpCount = lane.SentCount;
        SendElsewhere(lane, nowUs);
        MoveUrgent(lane, nowUs);
        WakeAll();
    }

    /// <summary>What waits for a lane that may never write again waits elsewhere.</summary>
    private void MoveUrgent(EngineLane lane, long nowUs)
    {
        for (int i = lane.Urgent.Count; i > 0 && _best is not null && _best != lane; i--)
        {
            Push(PopUrgent(lane), nowUs);
        }
    }

    /// <summary>
    /// Within two of its round trips: one is what anything takes. Where the kernel does not tell whether its peer answers, a second one is what a
    /// lost segment costs.
    /// </summary>
    private static long StallAfterUs(EngineLane lane)
    {
        double delay = lane.Estimate.DelayUs;
        double spare = Math.Max(delay / 2, Math.Min(delay, 4 * lane.Estimate.DeviationUs));
        return (long)(lane.Estimate.HeardAtUs is null ? delay + lane.Estimate.LatenessUs + Math.Max(delay, spare) : delay + spare) + GraceUs;
    }

    private void Unstall(EngineLane lane)
    {
        lane.StalledSinceUs = null;
        _events.LaneStalled(lane, false);
        Rank(_nowUs);
        _events.LaneHasWork(lane);
    }

    /// <summary>What is under way on a lane goes again: bytes wait as if they were new, control frames go to the quickest lanes.</summary>
    private void SendElsewhere(EngineLane lane, long nowUs)
    {
        for (int i = 0; i < lane.Sent.Count; i++)
        {
            ref var sent = ref lane.Sent[i];
            if (sent.IsAgain)
            {
                // The copy is in another lane's list and is looked after there.
                continue;
            }

            sent.IsAgain = true;
            var content = sent.Content;
            if (content.Type != TrunkFrameType.Data)
            {
                Push(content, nowUs);
            }
            else if (!content.Stream!.IsGone && !content.Stream.IsDelivered(content.Start, content.End))
            {
                long waiting = content.Stream.Waiting.Bytes;
                content.Stream.SendAgain(content.Start, content.End);
                long again = content.Stream.Waiting.Bytes - waiting;
                ResentBytes += again;
                lane.ResentBytes += again;
                Enqueue(content.Stream, nowUs);
            }
        }
    }

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
            bool isLate = -leftUs > OverdueUs + Math.Max(soonUs / 2, Math.Min(lane.Estimate.DeviationUs, soonUs));
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

    private void Ping(EngineLane lane, long nowUs)
    {
        bool wanted = lane.StalledSinceUs is not null || ((_streams.Count > 0 || HasDatagrams(nowUs)) && lane.Sent.Count == 0);
        if (wanted && lane.PingUnansweredSinceUs == 0 && nowUs - lane.PingSentAtUs > PingEveryUs)
        {
            lane.PingSentAtUs = nowUs;
            lane.PingUnansweredSinceUs = nowUs;
            lane.PingDue = true;
            _events.LaneHasWork(lane);
        }
    }

    private void OnPong(EngineLane lane, long nonce)
    {
        if (nonce != lane.PingSentAtUs)
        {
            return;
        }

        lane.PingUnansweredSinceUs = 0;
        if (lane.StalledSinceUs is not null && lane.Sent.Count == 0)
        {
            Unstall(lane);
        }
    }
}
