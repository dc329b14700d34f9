namespace Aggregator.Trunk;

/// <content>Lanes of which nothing is heard: how that is known, and what becomes of what they had.</content>
internal sealed partial class TrunkEngine
{
    /// <summary>What acknowledgements take on top of the way: both ends' ticks and scheduling.</summary>
    private const long GraceUs = 10_000;

    /// <summary>How old the kernel's word may be when a lane is about to be given up, and how long we wait for a newer one.</summary>
    private const long FreshUs = 5_000;
    private const long MaxAgeUs = 60_000;

    /// <summary>A lane whose peer answers, but not for what we sent: so many times the usual patience.</summary>
    private const long HalfDeadFactor = 4;

    /// <summary>With streams open, lanes without traffic are pinged so often: a dead one should be known before it is needed.</summary>
    private const long PingEveryUs = 1_000_000;

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
        long due = Math.Max(oldest.SentAtUs + (long)oldest.QueueUs, _resumedAtUs);
        if (nowUs - due <= patience)
        {
            return false;
        }

        long since = Math.Max(lane.ProgressAtUs, due);
        if (lane.Estimate.HeardAtUs is not { } heard)
        {
            return nowUs - since > patience;
        }

        // While bytes are under way acknowledgements follow each other closely. When the oldest bytes are overdue, a pause between them need not be as long as the whole way.
        long pause = patience - (long)lane.Estimate.DelayUs;
        if (nowUs - Math.Max(lane.ProgressAtUs, _resumedAtUs) <= pause)
        {
            return false;
        }

        // The peer's TCP answers: losses are being repaired. Only if that takes very long is the way in our direction dead.
        return !MustAskKernel(lane, nowUs) && (nowUs - heard > pause || nowUs - since > HalfDeadFactor * patience);
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
            PushAgain(PopUrgent(lane), nowUs);
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
                PushAgain(content, nowUs);
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
