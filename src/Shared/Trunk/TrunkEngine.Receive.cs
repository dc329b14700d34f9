using System.Buffers.Binary;

namespace Aggregator.Trunk;

/// <content>What comes in.</content>
internal sealed partial class TrunkEngine : IFrameSink
{
    /// <summary>Opens overtake each other by what is under way on other lanes; numbers that leave more holes than this were never a gateway's.</summary>
    private const int MaxIdHoles = 4096;

    /// <summary>Numbers of streams that were ever opened here (VPS).</summary>
    private IntervalSet _seenIds;

    private EngineLane? _receiving;
    private long _nowUs;

    /// <summary>Bytes came on a lane.</summary>
    /// <exception cref="TrunkProtocolException">They are not what the protocol allows.</exception>
    internal void Received(EngineLane lane, ReadOnlySpan<byte> bytes, long nowUs)
    {
        if (lane.IsGone)
        {
            return;
        }

        _receiving = lane;
        _nowUs = nowUs;
        lane.ReceivedAtUs = nowUs;
        lane.Parser.Parse(bytes, this);
        _isActive = true;
        if (_best is { } best && IsFirstAckDue(nowUs))
        {
            _events.LaneHasWork(best);
        }
    }

    void IFrameSink.OnData(in TrunkFrame frame, long offset, ReadOnlySpan<byte> bytes)
    {
        var lane = _receiving!;
        lane.ReceivedPayloadBytes += bytes.Length;
        lane.ReceivedRate.Add(bytes.Length, _nowUs);
        _ackBytes += bytes.Length;
        if (Find(frame.Stream) is not { } stream)
        {
            return;
        }

        long end = offset + bytes.Length;
        if (end > stream.Granted)
        {
            throw new TrunkProtocolException($"stream {frame.Stream}: {end} bytes, {stream.Granted} were allowed", endsSession: true);
        }

        if (stream.EndsAt >= 0 && end > stream.EndsAt)
        {
            throw new TrunkProtocolException($"stream {frame.Stream}: bytes behind its end", endsSession: true);
        }

        stream.LaneBits |= 1UL << (int)(lane.Id & 63);
        bool wasReadable = stream.UnreadBytes > 0;
        long held = stream.ReceiveHeldBytes;
        long ahead = stream.Ahead.Bytes;
        long added = stream.Receive(offset, bytes);
        DuplicateBytes += bytes.Length - added;
        ReorderBytes += stream.Ahead.Bytes - ahead;
        MaxReorderBytes = Math.Max(MaxReorderBytes, ReorderBytes);
        _reorderPeak = Math.Max(_reorderPeak, ReorderBytes);
        _budget.AddReceived(stream.ReceiveHeldBytes - held);
        if (!wasReadable && stream.UnreadBytes > 0)
        {
            _events.Readable(stream);
        }

        if (_budget.ReceiveBytes > _budget.ResetBytes)
        {
            ResetLargest();
        }
    }

    void IFrameSink.OnDataEnd(in TrunkFrame frame)
    {
        Count();
        if (!frame.IsFin || Find(frame.Stream) is not { } stream)
        {
            return;
        }

        if (!stream.TrySetEnd(frame.Value + frame.Length))
        {
            throw new TrunkProtocolException($"stream {frame.Stream}: two different ends", endsSession: true);
        }

        if (stream.IsAllRead)
        {
            _events.Readable(stream);
            RemoveIfDone(stream);
        }
    }

    void IFrameSink.OnControl(in TrunkFrame frame, ReadOnlySpan<byte> body)
    {
        if (frame.IsCounted)
        {
            Count();
        }

        switch (frame.Type)
        {
            case TrunkFrameType.Open:
                OnOpen(frame, body);
                break;
            case TrunkFrameType.Reply:
                OnReply(frame, body);
                break;
            case TrunkFrameType.Reset:
                OnReset(frame);
                break;
            case TrunkFrameType.Credit:
                if (Find(frame.Stream) is { } stream && frame.Value > stream.SendLimit)
                {
                    stream.SendLimit = frame.Value;
                    TellWriter(stream);
                }

                break;
            case TrunkFrameType.Role:
                if (_role == TrunkRole.Gateway)
                {
                    throw new TrunkProtocolException("roles are the gateway's to give", endsSession: true);
                }

                if (FindLane(frame.Stream) is { } lane)
                {
                    lane.Role = (LaneRole)frame.Flags;
                    Rank(_nowUs);
                    WakeAll();
                }

                break;
            case TrunkFrameType.Goodbye:
                _events.PeerLeft(frame.Flags == (byte)GoodbyeCode.Closed ? GoodbyeCode.Closed : GoodbyeCode.ProtocolError);
                break;
            case TrunkFrameType.Ack:
                for (int i = 0; i < body.Length; i += TrunkFrame.AckEntryBytes)
                {
                    OnAck(BinaryPrimitives.ReadUInt32BigEndian(body[i..]), BinaryPrimitives.ReadInt64BigEndian(body[(i + 4)..]));
                }

                break;
            case TrunkFrameType.Ping:
                // Whoever pings has not heard of us for long.
                AcknowledgeAgain();
                _receiving!.PingToAnswer = (ulong)frame.Value;
                _events.LaneHasWork(_receiving);
                break;
            case TrunkFrameType.Pong:
                OnPong(_receiving!, frame.Value);
                break;
            default:
                break;
        }
    }

    private EngineLane? FindLane(uint id)
    {
        foreach (var lane in _lanes)
        {
            if (lane.Id == id)
            {
                return lane;
            }
        }

        return null;
    }

    private void Count()
    {
        _receiving!.ReceivedCount++;
        _ackVersion++;
    }

    /// <summary>The stream with this number; null: it is over. Data may overtake its open: then the stream begins here.</summary>
    private EngineStream? Find(uint id)
    {
        if (_streams.TryGetValue(id, out var stream))
        {
            return stream;
        }

        if (_role == TrunkRole.Gateway)
        {
            return id == 0 || id > _lastStreamId
                ? throw new TrunkProtocolException($"stream {id} was never opened", endsSession: true)
                : null;
        }

        return IsNew(id) ? Begin(id) : null;
    }

    /// <summary>Notes the number.</summary>
    private bool IsNew(uint id)
    {
        if (id == 0)
        {
            throw new TrunkProtocolException("stream 0", endsSession: true);
        }

        if (_seenIds.Add(id, id + 1L) == 0)
        {
            return false;
        }

        return _seenIds.Count <= MaxIdHoles
            ? true
            : throw new TrunkProtocolException("stream numbers with too many holes", endsSession: true);
    }

    /// <summary>The memory is used up: whoever holds most of it goes, so that the others can go on.</summary>
    private void ResetLargest()
    {
        EngineStream? largest = null;
        foreach (var stream in _streams.Values)
        {
            if (largest is null || stream.ReceiveHeldBytes > largest.ReceiveHeldBytes)
            {
                largest = stream;
            }
        }

        if (largest is not null)
        {
            Reset(largest, StreamBreak.OutOfMemory, _nowUs);
            _events.Broken(largest, StreamBreak.OutOfMemory);
        }
    }
}
