using System.Buffers.Binary;

namespace Aggregator.Trunk;

/// <content>What comes in.</content>
internal sealed partial class TrunkEngine : IFrameSink
{
    /// <summary>Opens overtake each other by what is under way on other lanes; numbers that leave more holes than this were never a gateway's.</summary>
    private const int MaxIdHoles = 4096;

    /// <summary>
    /// Pieces of one stream that wait for what is missing before them. 64 MiB in frames of 16 KiB, every second one missing, are 2,048; every byte
    /// by itself, and each arrival would move millions of entries.
    /// </summary>
    internal const int MaxPiecesAhead = 16_384;

    /// <summary>When streams are reset for their memory, this part of the limit is made free.</summary>
    private const int ResetSpare = 256;

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
        if (_isOver)
        {
            return;
        }

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
        _share.AddReceived(stream.ReceiveHeldBytes - held);
        if (!wasReadable && stream.UnreadBytes > 0)
        {
            _events.Readable(stream);
        }

        if (stream.Ahead.Count > MaxPiecesAhead)
        {
            ResetForMemory(stream);
        }

        if (_share.MustReset)
        {
            ResetLargest();
        }
    }

    void IFrameSink.OnDataEnd(in TrunkFrame frame)
    {
        Count();
        if (_isOver || !frame.IsFin || Find(frame.Stream) is not { } stream)
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
        if (_isOver)
        {
            return;
        }

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

    /// <summary>
    /// A byte of a stream that nobody has read for <see cref="SleepUs"/> counts as so many. A quick reader's window may hold more at a moment than each of
    /// hundreds that sleep, and it is these that use up the memory; yet a little that lies for a second must not go before a hoard that is nibbled at.
    /// </summary>
    private const int SleepersWeight = 64;

    private const long SleepUs = 1_000_000;

    /// <summary>The memory is used up: whoever holds most of it goes, sleepers first, so that the others can go on.</summary>
    private void ResetLargest()
    {
        EngineStream? largest = null;
        foreach (var stream in _streams.Values)
        {
            if (largest is null || WeightOf(stream) > WeightOf(largest))
            {
                largest = stream;
            }
        }

        if (largest is null)
        {
            return;
        }

        // Where thousands hold a little each, some more at once: nobody shall make us look at them all for every frame.
        long worthIt = Math.Max(1, WeightOf(largest) / 2);
        long enough = _budget.ResetBytes - (_budget.ResetBytes / ResetSpare);
        ResetForMemory(largest);
        foreach (var stream in _streams.Values)
        {
            if (_share.ReceiveBytes <= enough)
            {
                return;
            }

            if (WeightOf(stream) >= worthIt)
            {
                ResetForMemory(stream);
            }
        }
    }

    private long WeightOf(EngineStream stream) => stream.ReceiveHeldBytes * (_nowUs - stream.ReadAtUs > SleepUs ? SleepersWeight : 1);

    private void ResetForMemory(EngineStream stream)
    {
        // Its owner first: telling the peer may end the session, which would not know of the stream any more.
        Remove(stream);
        _events.Broken(stream, StreamBreak.OutOfMemory);
        Push(new Outgoing(TrunkFrameType.Reset, stream.Id, (byte)StreamBreak.OutOfMemory, 0, 0, null), _nowUs);
    }
}
