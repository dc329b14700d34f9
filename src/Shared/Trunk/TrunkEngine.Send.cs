using Aggregator.Flows;

namespace Aggregator.Trunk;

/// <content>What goes out.</content>
internal sealed partial class TrunkEngine
{
    /// <summary>Frames that wait on one lane, and frames under way on it: what a peer that never reads or never acknowledges can make us hold.</summary>
    internal const int MaxQueuedFrames = 65_536;

    /// <summary>Second copies are for speed and go only where fewer wait: nothing is lost without them.</summary>
    private const int MaxQueuedCopies = MaxQueuedFrames / 4;

    /// <summary>
    /// Data stops at <see cref="MaxQueuedFrames"/>, answers cannot: a peer that makes us say so much more and acknowledges nothing of it has no good reason.
    /// </summary>
    internal const int MaxUnacknowledgedFrames = 2 * MaxQueuedFrames;

    /// <summary>Lanes are ranked anew at most so often; their queues change within milliseconds.</summary>
    private const long RankAgainUs = 500;

    /// <summary>A lane with work but no room asks again when half of what it may have waiting is sent, within these bounds.</summary>
    private const long MinWaitUs = 500;
    private const long MaxWaitUs = 20_000;

    /// <summary>A lane that left everything to quicker ones.</summary>
    private const long DeclinedWaitUs = 1_500;

    /// <summary>Small flows may exceed a lane's feed limit by this much, so that bulk does not hold them up.</summary>
    private const long QuickExtraBytes = 64 * 1024;

    /// <summary>Of data in a lane's own queue: a copy that the redundant class wants, not one that had to be.</summary>
    private const byte SecondCopy = 1;

    /// <summary>Builds what the lane should write next. Written or not, it counts as sent: a lane that cannot write has to be removed.</summary>
    /// <returns>The bytes put into <paramref name="buffer"/>; 0: nothing now, <see cref="ITrunkEvents.LaneHasWork"/> will tell.</returns>
    internal int Fill(EngineLane lane, Span<byte> buffer, long nowUs)
    {
        if (lane.IsGone)
        {
            return 0;
        }

        if (nowUs - _rankedAtUs > RankAgainUs)
        {
            Rank(nowUs);
        }

        lane.WakeAtUs = 0;
        lane.FilledAtUs = 0;
        int used = FillAck(lane, buffer, nowUs);
        used += FillPings(lane, buffer[used..]);
        while (lane.Urgent.Count > 0)
        {
            int written = WriteUrgent(lane, buffer[used..], nowUs);
            if (written < 0)
            {
                break;
            }

            used += written;
        }

        lane.IsFull = false;
        if (TakesPart(lane))
        {
            used += FillDatagrams(lane, buffer[used..], used, nowUs);
        }

        if (TakesPart(lane) && lane.Sent.Count < MaxQueuedFrames)
        {
            used += FillData(lane, buffer[used..], used, nowUs);
        }

        lane.Estimate.Written(used);
        lane.FilledAtUs = used > 0 ? nowUs : 0;
        return used;
    }

    /// <summary>-1: the buffer is full.</summary>
    private int WriteUrgent(EngineLane lane, Span<byte> buffer, long nowUs)
    {
        ref var item = ref lane.Urgent[0];
        if (buffer.Length < TrunkFrame.HeaderBytes + TrunkFrame.MaxControlBytes)
        {
            return -1;
        }

        if (item.Type == TrunkFrameType.Data)
        {
            var stream = item.Stream!;
            long start = Math.Max(item.Start, stream.DeliveredTo);
            long end = Math.Min(item.End, start + Math.Min(TrunkFrame.MaxDataBytes, buffer.Length - TrunkFrame.HeaderBytes));
            if (stream.IsGone || start >= item.End || stream.IsDelivered(start, end))
            {
                if (stream.IsGone || end >= item.End)
                {
                    PopUrgent(lane);
                }
                else
                {
                    SkipTo(lane, ref item, end);
                }

                return 0;
            }

            bool isSecondCopy = item.Code == SecondCopy;
            if (end == item.End)
            {
                PopUrgent(lane);
            }
            else
            {
                SkipTo(lane, ref item, end);
            }

            if (isSecondCopy)
            {
                RedundantBytes += end - start;
            }
            else
            {
                ResentBytes += end - start;
            }

            return WriteData(lane, stream, start, end, 0, buffer, nowUs);
        }

        var control = PopUrgent(lane);
        int length = 0;
        long value = control.Start;
        var body = buffer[TrunkFrame.HeaderBytes..];
        switch (control.Type)
        {
            case TrunkFrameType.Open:
                length = FlowProtocol.WriteOpen(body, control.Stream!.Target!.Value);
                value = control.Stream.Granted;
                break;
            case TrunkFrameType.Reply:
                FlowProtocol.WriteReply(body, control.Stream!.Answer);
                length = FlowProtocol.ReplyBytes;
                value = control.Stream.Granted;
                break;
            case TrunkFrameType.Credit:
                if (control.Stream!.IsGone)
                {
                    return 0;
                }

                control.Stream.IsCreditQueued = false;
                value = control.Stream.Granted;
                break;
            default:
                break;
        }

        new TrunkFrame(control.Type, control.Code, length, control.Id, value).Write(buffer);
        Note(lane, control, 0, 0, nowUs);
        return TrunkFrame.HeaderBytes + length;
    }

    private static void SkipTo(EngineLane lane, ref Outgoing item, long start)
    {
        lane.UrgentBytes -= start - item.Start;
        item = item with { Start = start };
    }

    /// <summary>Unsent bytes up to which the lane is fed: what its kernel needs, and no more than its window leaves.</summary>
    private double FeedLimit(EngineLane lane, double rate, long nowUs) => Math.Min(
        _scheduler.FeedLimitBytes(rate, lane.Estimate.Reading), Math.Max(0, lane.Window.Bytes(nowUs) - lane.Estimate.Reading.PipeBytes));

    /// <summary>When a lane last had all that it can take while streams had more. May be read without the lock.</summary>
    internal long BulkWaitedAtUs => Volatile.Read(ref _bulkWaitedAtUs);

    private long _bulkWaitedAtUs = long.MinValue / 2;

    private int FillData(EngineLane lane, Span<byte> buffer, int before, long nowUs)
    {
        int self = _lanes.IndexOf(lane);
        var views = _views.AsSpan(0, _lanes.Count);
        double rate = views[self].RateBytesPerSecond;
        int frame = _scheduler.FrameBytes(rate);
        double limit = FeedLimit(lane, rate, nowUs);
        double queue = lane.Estimate.QueueBytes(nowUs) + before;
        int used = 0;
        bool declined = false;

        // Small and new flows first, then bulk, a frame each in turn.
        for (int tries = _quick.Count; tries > 0 && queue + used < limit + QuickExtraBytes; tries--)
        {
            var stream = _quick[_nextQuick = (_nextQuick + 1) % _quick.Count];
            int written = TakeFrame(lane, stream, self, 1, frame, buffer[used..], nowUs);
            if (written > 0)
            {
                used += written;
                tries = _quick.Count + 1;
            }
            else
            {
                declined = true;
            }

            if (written < 0 || _quick.Count == 0)
            {
                break;
            }
        }

        for (int tries = lane.IsTooLate ? 0 : _bulk.Count; tries > 0 && queue + used < limit; tries--)
        {
            var stream = _bulk[_nextBulk = (_nextBulk + 1) % _bulk.Count];
            int written = TakeFrame(lane, stream, self, _bulk.Count, frame, buffer[used..], nowUs);
            if (written > 0)
            {
                used += written;
                tries = _bulk.Count + 1;
            }
            else
            {
                declined = true;
            }

            if (written < 0 || _bulk.Count == 0)
            {
                break;
            }
        }

        lane.IsFull = queue + used >= limit && (_bulk.Count > 0 || Datagrams.Count > 0);
        if (lane.IsFull && _bulk.Count > 0)
        {
            Volatile.Write(ref _bulkWaitedAtUs, nowUs);
        }

        if (queue + used >= limit)
        {
            double waitUs = (queue + used - (limit / 2.0)) * 1e6 / Math.Max(rate, lane.Estimate.Reading.PacingRateBytesPerSecond);
            lane.WakeAtUs = nowUs + (long)Math.Clamp(waitUs, MinWaitUs, MaxWaitUs);
        }
        else if (declined && used == 0)
        {
            lane.WakeAtUs = nowUs + DeclinedWaitUs;
        }

        return used;
    }

    /// <summary>Takes the frame of a stream that this lane can have there in time. 0: there is none; -1: the buffer is full.</summary>
    private int TakeFrame(EngineLane lane, EngineStream stream, int self, int sharers, int frame, Span<byte> buffer, long nowUs)
    {
        int room = Math.Min(frame, buffer.Length - TrunkFrame.HeaderBytes);
        if (room < Math.Min(frame, 1024))
        {
            return -1;
        }

        // Of the redundant class, whichever of the two quickest lanes has room first: the other one may be silent without our knowing it yet.
        double ahead = stream.FlowClass == FlowClass.Redundant && (lane == _best || lane == _second)
            ? 0
            : _scheduler.BytesAhead(_views.AsSpan(0, _lanes.Count), self) / sharers;
        if (!TryFind(stream, (long)ahead, out long start, out long gapEnd))
        {
            return 0;
        }

        long end = Math.Min(gapEnd, start + room);
        stream.Waiting.Remove(start, end);
        int written = WriteData(lane, stream, start, end, IsBulk(stream) ? lane.SpareUs : 0, buffer, nowUs);
        _views[self] = _views[self] with { ArrivalUs = _views[self].ArrivalUs + (written * 1e6 / _views[self].RateBytesPerSecond) };
        Account(stream, end - start, nowUs);
        if (stream.FlowClass == FlowClass.Redundant && (lane == _best ? _second : _best) is { } other)
        {
            Push(other, new Outgoing(TrunkFrameType.Data, stream.Id, SecondCopy, start, end, stream));
        }

        TellWriter(stream);
        return written;
    }

    /// <summary>The place behind so many waiting bytes.</summary>
    private static bool TryFind(EngineStream stream, long skip, out long start, out long gapEnd)
    {
        ref var waiting = ref stream.Waiting;
        start = 0;
        gapEnd = 0;
        if (skip >= waiting.Bytes)
        {
            return false;
        }

        for (int i = 0; i < waiting.Count; i++)
        {
            var range = waiting[i];
            long length = range.End - range.Start;
            if (skip < length)
            {
                start = range.Start + skip;
                gapEnd = range.End;
                return true;
            }

            skip -= length;
        }

        return false;
    }

    private int WriteData(EngineLane lane, EngineStream stream, long start, long end, double spareUs, Span<byte> buffer, long nowUs)
    {
        bool fin = stream.IsFinished && end == stream.SendEnd;
        int length = (int)(end - start - (fin ? 1 : 0));
        stream.CopyTo(start, buffer.Slice(TrunkFrame.HeaderBytes, length));
        new TrunkFrame(TrunkFrameType.Data, fin ? TrunkFrame.FinFlag : (byte)0, length, stream.Id, start).Write(buffer);
        stream.LaneBits |= 1UL << (int)(lane.Id & 63);
        lane.SentPayloadBytes += length;
        lane.SentRate.Add(length, nowUs);
        Note(lane, new Outgoing(TrunkFrameType.Data, stream.Id, 0, start, end, stream), length, spareUs, nowUs);
        return TrunkFrame.HeaderBytes + length;
    }

    private void Note(EngineLane lane, in Outgoing content, int length, double spareUs, long nowUs)
    {
        double queue = lane.Estimate.QueueUs(nowUs);
        if (lane.Sent.Count == 0)
        {
            lane.ProgressAtUs = nowUs;
        }
        else if (lane.Sent.Count >= MaxUnacknowledgedFrames)
        {
            throw new TrunkProtocolException("the peer makes us say more than it acknowledges", endsSession: true);
        }

        lane.Sent.Enqueue(new SentFrame
        {
            Content = content,
            SentAtUs = nowUs,
            QueueUs = (float)queue,
            ExpectedAtUs = nowUs + (long)(queue + lane.Estimate.DelayUs),
            SpareUs = (float)spareUs,
        });
        lane.SentCount++;
        lane.OutstandingBytes += length;
        _isActive = true;
    }
}
