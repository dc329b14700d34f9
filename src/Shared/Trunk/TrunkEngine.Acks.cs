using System.Buffers.Binary;

namespace Aggregator.Trunk;

/// <content>Acknowledgements and pings, said and heard.</content>
internal sealed partial class TrunkEngine
{
    /// <summary>Acknowledgements on the quickest lane, unless so many bytes came in between; the second lane repeats them less often.</summary>
    private const long AckEveryUs = 1_000;
    private const long AckEveryBytes = 256 * 1024;
    private const long AckSecondEveryUs = 5_000;

    private long _ackVersion;
    private long _ackBytes;
    private long _firstAckVersion;
    private long _firstAckAtUs;
    private long _secondAckVersion;
    private long _secondAckAtUs;

    /// <summary>The peer's counts that we know are old once they are told: one more acknowledgement each.</summary>
    private bool IsFirstAckDue(long nowUs) =>
        _firstAckVersion != _ackVersion && (nowUs - _firstAckAtUs >= AckEveryUs || _ackBytes >= AckEveryBytes);

    private bool IsSecondAckDue(long nowUs) => _secondAckVersion != _ackVersion && nowUs - _secondAckAtUs >= AckSecondEveryUs;

    /// <summary>What was told may have been told to a lane that is dead: it is told again, by others.</summary>
    private void AcknowledgeAgain()
    {
        _firstAckVersion = -1;
        _secondAckVersion = -1;
    }

    private int FillAck(EngineLane lane, Span<byte> buffer, long nowUs)
    {
        bool first = lane == _best && IsFirstAckDue(nowUs);
        bool second = lane == _second && IsSecondAckDue(nowUs);
        if (!first && !second)
        {
            return 0;
        }

        int length = 0;
        foreach (var other in _lanes)
        {
            if (other.ReceivedCount > 0 && length < TrunkFrame.MaxAckEntries * TrunkFrame.AckEntryBytes)
            {
                var entry = buffer.Slice(TrunkFrame.HeaderBytes + length, TrunkFrame.AckEntryBytes);
                BinaryPrimitives.WriteUInt32BigEndian(entry, other.Id);
                BinaryPrimitives.WriteInt64BigEndian(entry[4..], other.ReceivedCount);
                length += TrunkFrame.AckEntryBytes;
            }
        }

        if (first)
        {
            _firstAckVersion = _ackVersion;
            _firstAckAtUs = nowUs;
            _ackBytes = 0;
        }

        if (second)
        {
            _secondAckVersion = _ackVersion;
            _secondAckAtUs = nowUs;
        }

        if (length == 0)
        {
            return 0;
        }

        new TrunkFrame(TrunkFrameType.Ack, 0, length, 0, 0).Write(buffer);
        return TrunkFrame.HeaderBytes + length;
    }

    private static int FillPings(EngineLane lane, Span<byte> buffer)
    {
        int used = 0;
        if (lane.PingToAnswer is { } nonce)
        {
            lane.PingToAnswer = null;
            new TrunkFrame(TrunkFrameType.Pong, 0, 0, 0, (long)nonce).Write(buffer);
            used += TrunkFrame.HeaderBytes;
        }

        if (lane.PingDue)
        {
            lane.PingDue = false;
            new TrunkFrame(TrunkFrameType.Ping, 0, 0, 0, lane.PingSentAtUs).Write(buffer[used..]);
            used += TrunkFrame.HeaderBytes;
        }

        return used;
    }

    private void OnAck(uint laneId, long count)
    {
        if (FindLane(laneId) is not { } lane || count <= lane.AcknowledgedCount)
        {
            // Of a lane that is gone, or old: acknowledgements come over several lanes.
            return;
        }

        if (count > lane.SentCount)
        {
            throw new TrunkProtocolException($"lane {laneId}: {count} frames acknowledged, {lane.SentCount} were sent", endsSession: true);
        }

        while (lane.AcknowledgedCount < count)
        {
            var sent = lane.Sent.Dequeue();
            lane.AcknowledgedCount++;
            lane.Estimate.Acknowledged(_nowUs - sent.SentAtUs, sent.QueueUs, _nowUs);
            if (sent.Content is { Type: TrunkFrameType.Data, Stream: { } stream })
            {
                long length = sent.Content.End - sent.Content.Start;
                lane.OutstandingBytes = Math.Max(0, lane.OutstandingBytes - length);
                lane.AcknowledgedPayloadBytes += length;
                if (!stream.IsGone)
                {
                    Delivered(stream, sent.Content.Start, sent.Content.End);
                }
            }
        }

        lane.ProgressAtUs = _nowUs;
        if (lane.StalledSinceUs is not null)
        {
            Unstall(lane);
        }

        if (lane.IsRetiring && IsDrained(lane))
        {
            // Its writer sleeps, and has one thing left to do: to end.
            _events.LaneHasWork(lane);
        }
    }

    private void Delivered(EngineStream stream, long start, long end)
    {
        long before = stream.DeliveredTo;
        long added = stream.SetDelivered(start, end);
        DeliveredBytes += added;
        _share.AddSent(Math.Min(before, stream.WriteEnd) - Math.Min(stream.DeliveredTo, stream.WriteEnd));
        if (stream.Waiting.IsEmpty)
        {
            Unqueue(stream);
        }

        TellWriter(stream);
        RemoveIfDone(stream);
    }
}
