using Aggregator.Packets;

namespace Aggregator.Trunk;

/// <content>Which lane takes a datagram, and whether a second one takes a copy.</content>
internal sealed partial class TrunkEngine
{
    /// <summary>A flow stays on its lane while no other one is quicker by more than a quarter and this.</summary>
    private const double StayUs = 2_000;

    /// <summary>A lane that is so much slower per time that the packet has waited may take it.</summary>
    private const double SpreadFactor = 4;

    /// <summary>Retransmissions so long ago, or a silent lane, make real-time packets go twice.</summary>
    private const long LossMemoryUs = 3_000_000;
    private const long SilenceMemoryUs = 10_000_000;

    /// <summary>Second copies that wait on a lane: 20 ms of some calls.</summary>
    private const int MaxCopies = 64;
    private const int MaxCopiedBytes = 1500;

    /// <summary>How long a slow lane counts as used by a flow; longer than its packets are under way.</summary>
    private const long SlowestMemoryUs = 700_000;

    /// <summary>The lane that should take the packet; null: none has room now.</summary>
    /// <param name="asking">Which asks, with so many bytes in its buffer.</param>
    private EngineLane? Choose(PacketClass of, ref QueuedDatagram head, EngineLane? asking, int before, long nowUs)
    {
        double quickest = double.MaxValue;
        double bestScore = double.MaxValue;
        double ownScore = double.MaxValue;
        EngineLane? best = null;
        EngineLane? own = null;
        foreach (var lane in _lanes)
        {
            if (!TakesPart(lane))
            {
                continue;
            }

            var estimate = lane.Estimate;
            double score = estimate.DelayUs + (of == PacketClass.RealTime ? 0 : estimate.LatenessUs);
            quickest = Math.Min(quickest, score);
            double rate = Math.Max(1, estimate.RateBytesPerSecond);
            double queue = estimate.QueueBytes(nowUs) + (lane == asking ? before : 0);
            double limit = FeedLimit(lane, rate, nowUs) + (of == PacketClass.RealTime ? QuickExtraBytes : 0);
            if (queue >= limit || (lane != asking && lane.FilledAtUs != 0 && nowUs - lane.FilledAtUs > StuckUs))
            {
                continue;
            }

            score += of == PacketClass.RealTime ? estimate.QueueUs(nowUs) : 0;
            if (score < bestScore)
            {
                (best, bestScore) = (lane, score);
            }

            if ((byte)lane.Id == _datagramLanes[head.Slot])
            {
                (own, ownScore) = (lane, score);
            }
        }

        if (own is not null && ownScore <= (1.25 * bestScore) + StayUs)
        {
            (best, bestScore) = (own, ownScore);
        }

        // A slower lane only for what has waited: its difference would else be everybody's.
        double waited = nowUs - head.QueuedAtUs;
        return best is null || of == PacketClass.RealTime || bestScore - quickest <= (SpreadFactor * waited) + StayUs ? best : null;
    }

    /// <summary>For the receiver, who waits for what overtakes on other lanes.</summary>
    private byte Behind(int slot, EngineLane lane, long nowUs)
    {
        // What a lane takes is known for there and back; one way of an uneven line may be most of it.
        double delay = lane.Estimate.DelayUs;
        ref var slowest = ref _datagramSlowest[slot];
        if (delay >= slowest.DelayUs || nowUs - slowest.AtUs > SlowestMemoryUs)
        {
            slowest = new SlowestLane((float)delay, nowUs);
        }
        else if (lane.Id == _datagramLanes[slot] && delay > slowest.DelayUs * 0.9)
        {
            slowest = slowest with { AtUs = nowUs };
        }

        return DatagramFrame.ToBehind(slowest.DelayUs - delay);
    }

    private readonly record struct SlowestLane(float DelayUs, long AtUs);

    /// <summary>The same frame for the second quickest lane; whichever copy comes first counts.</summary>
    private void Copy(EngineLane lane, ReadOnlySpan<byte> frame, long nowUs)
    {
        var other = lane == _best ? _second : _best;
        bool wanted = DuplicatesRealTime || nowUs - lane.LossSeenAtUs < LossMemoryUs || nowUs - _silenceSeenAtUs < SilenceMemoryUs;
        if (!wanted || other is null || other == lane || other.Copies.Count >= MaxCopies)
        {
            return;
        }

        byte[] buffer = PacketPool.Shared.Rent(frame.Length);
        frame.CopyTo(buffer);
        other.Copies.Enqueue((buffer, frame.Length));
        DatagramCopies++;
        _events.LaneHasWork(other);
    }

    private static int WriteCopy(EngineLane lane, Span<byte> buffer)
    {
        var (copy, length) = lane.Copies[0];
        if (buffer.Length < length)
        {
            return -1;
        }

        copy.AsSpan(0, length).CopyTo(buffer);
        lane.Copies.Dequeue();
        PacketPool.Shared.Return(copy);
        return length;
    }
}
