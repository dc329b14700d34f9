using Aggregator.Flows;

namespace Aggregator.Trunk;

/// <content>Streams from outside: opened, written, read, ended.</content>
internal sealed partial class TrunkEngine
{
    /// <summary>What the gateway may send on a stream before the VPS answered.</summary>
    internal const long EarlyWindowBytes = 64 * 1024;

    /// <summary>The least that a stream is promised, however full the budget is.</summary>
    private const long MinWindowBytes = 16 * 1024;

    /// <summary>The most for a stream that reads well while thousands of idle ones hold the promises.</summary>
    private const long CrowdedWindowBytes = 1024 * 1024;

    /// <summary>
    /// Of the budget: what windows may take, and what more those may that read while it is all promised. With the first windows that everybody gets this is about
    /// the whole: when a machine stands still for a moment, or a lane does, all windows fill at once, and beyond the whole streams are reset that did nothing wrong.
    /// </summary>
    private const double WindowsPart = 2.0 / 3;
    private const double BeyondPart = 0.25;

    /// <summary>Room worth telling a writer of: a write costs a hand-over each.</summary>
    private const long WorthWritingBytes = 16 * 1024;

    /// <summary>Windows are sized for what was read in such a period, over the slowest lane and then some.</summary>
    private const double WindowPeriods = 4;
    private const long MinPeriodUs = 30_000;
    private const long MaxPeriodUs = 1_000_000;

    private uint _lastStreamId;
    private bool _isOver;

    internal int StreamCount => _streams.Count;

    /// <summary>Opens a stream (gateway). Null: there are too many.</summary>
    internal EngineStream? Open(FlowTarget target, FlowClass flowClass, long nowUs)
    {
        if (_streams.Count >= _options.MaxStreams || _lastStreamId == uint.MaxValue)
        {
            return null;
        }

        var stream = Add(++_lastStreamId, flowClass, nowUs);
        stream.Target = target;
        stream.SendLimit = EarlyWindowBytes;
        Push(new Outgoing(TrunkFrameType.Open, stream.Id, (byte)flowClass, 0, 0, stream), nowUs);
        return stream;
    }

    /// <summary>Answers an open (VPS), once. After anything but <see cref="OpenResult.Opened"/> the stream is gone.</summary>
    internal void Reply(EngineStream stream, FlowReply reply, long nowUs)
    {
        if (stream.IsGone || stream.IsAnswered)
        {
            return;
        }

        stream.Answer = reply;
        stream.IsAnswered = true;
        if (reply.Result == OpenResult.Opened)
        {
            Grant(stream, stream.ReadTo + FirstWindow());
        }

        Push(new Outgoing(TrunkFrameType.Reply, stream.Id, 0, 0, 0, stream), nowUs);
        if (reply.Result != OpenResult.Opened)
        {
            Remove(stream);
        }
    }

    /// <summary>Takes what fits of a writer's bytes.</summary>
    /// <returns>How many; less than given: <see cref="ITrunkEvents.Writable"/> will tell when there is room.</returns>
    internal int Write(EngineStream stream, ReadOnlySpan<byte> bytes, long nowUs)
    {
        int count = (int)Math.Min(bytes.Length, Math.Max(0, WriteRoom(stream)));
        stream.WantsToWrite = count < bytes.Length;
        if (count > 0)
        {
            stream.Write(bytes[..count]);
            _share.AddSent(count);
            _isActive = true;
            Enqueue(stream, nowUs);
            WakeFor(stream, nowUs);
        }

        return count;
    }

    /// <summary>Ends our direction in good order.</summary>
    internal void Finish(EngineStream stream, long nowUs)
    {
        if (!stream.IsGone && !stream.IsFinished)
        {
            stream.Finish();
            _isActive = true;
            Enqueue(stream, nowUs);
            WakeFor(stream, nowUs);
        }
    }

    /// <summary>Takes bytes for the reader.</summary>
    /// <returns>0: nothing is there, or the end (<see cref="EngineStream.IsAllRead"/>).</returns>
    internal int Read(EngineStream stream, Span<byte> destination, long nowUs)
    {
        long held = stream.ReceiveHeldBytes;
        int count = stream.Read(destination);
        _share.AddReceived(stream.ReceiveHeldBytes - held);
        if (count > 0)
        {
            _share.AddPromised(-count);
            stream.PeriodBytes += count;
            stream.ReadAtUs = nowUs;
            if (!stream.IsAllRead)
            {
                Widen(stream, nowUs);
            }
        }

        RemoveIfDone(stream);
        return count;
    }

    /// <summary>Ends both directions at once and tells the peer.</summary>
    internal void Reset(EngineStream stream, StreamBreak reason, long nowUs)
    {
        if (!stream.IsGone)
        {
            Remove(stream);
            Push(new Outgoing(TrunkFrameType.Reset, stream.Id, (byte)reason, 0, 0, null), nowUs);
        }
    }

    /// <summary>Everything is over: all streams break, and what still comes is passed over, as nobody would ever end what it begins.</summary>
    internal void BreakAll(StreamBreak reason)
    {
        if (_isOver)
        {
            return;
        }

        _isOver = true;
        foreach (var stream in _streams.Values.ToArray())
        {
            Remove(stream);
            _events.Broken(stream, reason);
        }

        _budget.Leave();
    }

    private EngineStream Add(uint id, FlowClass flowClass, long nowUs)
    {
        var stream = new EngineStream(id, flowClass, _budget.Pool) { QuickTokens = QuickBytes, QuickTokensAtUs = nowUs, PeriodStartUs = nowUs, ReadAtUs = nowUs };
        stream.Window = _role == TrunkRole.Gateway ? FirstWindow() : EarlyWindowBytes;
        Grant(stream, stream.Window);
        _streams.Add(id, stream);
        return stream;
    }

    /// <summary>Less for each when many promises are out already.</summary>
    private long FirstWindow()
    {
        long promised = _share.PromisedBytes;
        return promised < _budget.Bytes / 8 ? Math.Min(_options.FirstWindowBytes, Math.Max(MinWindowBytes, _budget.Bytes / 4))
            : promised < _budget.Bytes / 2 ? _options.InitialWindowBytes
            : promised < _budget.Bytes ? EarlyWindowBytes
            : MinWindowBytes;
    }

    private void Grant(EngineStream stream, long to)
    {
        if (to > stream.Granted)
        {
            _share.AddPromised(to - stream.Granted);
            stream.Granted = to;
        }
    }

    private void Remove(EngineStream stream)
    {
        if (stream.IsGone)
        {
            return;
        }

        _streams.Remove(stream.Id);
        Unqueue(stream);
        _share.AddReceived(-stream.ReceiveHeldBytes);
        _share.AddPromised(-(stream.Granted - stream.ReadTo));
        _share.AddSent(-Math.Max(0, stream.WriteEnd - stream.DeliveredTo));
        _share.AddBeyond(-stream.BeyondBytes);
        ReorderBytes -= stream.Ahead.Bytes;
        stream.Drop();
    }

    private void RemoveIfDone(EngineStream stream)
    {
        if (stream.IsAllDelivered && stream.IsAllRead)
        {
            Remove(stream);
        }
    }

    /// <summary>
    /// How much a writer may put in now: what the peer's window takes, what the daemon's memory takes, and no more ahead of the lanes than
    /// they need to choose from (more would only make the flow's own later bytes wait longer).
    /// </summary>
    private long WriteRoom(EngineStream stream)
    {
        int sharers = Math.Max(1, _bulk.Count);
        long backlog = (long)((_backlogBytes / sharers) + WorthWritingBytes);
        long room = Math.Min(stream.SendLimit - stream.WriteEnd, backlog - stream.Waiting.Bytes);
        long memory = Math.Max(_budget.Bytes - _share.SendBytes, TrunkBudget.LeastOfStream - (stream.WriteEnd - stream.DeliveredTo));
        return Math.Min(room, memory);
    }

    private void TellWriter(EngineStream stream)
    {
        if (!stream.WantsToWrite)
        {
            return;
        }

        long room = WriteRoom(stream);
        if (room >= WorthWritingBytes || (room > 0 && stream.Waiting.IsEmpty))
        {
            stream.WantsToWrite = false;
            _events.Writable(stream);
        }
    }

    /// <summary>Sizes the window to the reader's pace, and tells the peer when a good part of it is used.</summary>
    private void Widen(EngineStream stream, long nowUs)
    {
        double periodUs = MinPeriodUs;
        foreach (var lane in _lanes)
        {
            periodUs = Math.Max(periodUs, lane.Estimate.RttUs);
        }

        periodUs = Math.Min(periodUs, MaxPeriodUs);
        long most = Math.Max(MinWindowBytes, Math.Min(_options.MaxWindowBytes, _budget.WindowBytes));
        long wanted = Math.Clamp((long)(stream.PeriodBytes * WindowPeriods), Math.Min(FirstWindow(), most), most);
        if (wanted > stream.Window && _share.PromisedBytes + wanted - stream.Window <= _budget.Bytes * WindowsPart)
        {
            stream.Window = wanted;
        }
        else if (wanted > stream.Window)
        {
            // All is promised, to streams that do not use it: those that read get a little more all the same, together a part of what is really free.
            double free = _budget.Bytes - _share.ReceiveBytes;
            long more = Math.Min(Math.Min(wanted, CrowdedWindowBytes) - stream.Window, (long)(free * BeyondPart) - _share.BeyondBytes);
            if (more > 0)
            {
                stream.Window += more;
                stream.BeyondBytes += more;
                _share.AddBeyond(more);
            }
        }

        if (nowUs - stream.PeriodStartUs > periodUs)
        {
            // A pace that fell lets the window shrink, by a quarter at a time.
            long window = Math.Max(Math.Min(stream.Window, wanted), stream.Window * 3 / 4);
            long less = Math.Min(stream.Window - window, stream.BeyondBytes);
            stream.Window = window;
            stream.BeyondBytes -= less;
            _share.AddBeyond(-less);
            stream.PeriodStartUs = nowUs;
            stream.PeriodBytes = 0;
        }

        long grant = stream.ReadTo + stream.Window;
        if (grant - stream.Granted >= stream.Window / 4 && !IsUnanswered(stream))
        {
            Grant(stream, grant);
            if (!stream.IsCreditQueued)
            {
                stream.IsCreditQueued = true;
                Push(new Outgoing(TrunkFrameType.Credit, stream.Id, 0, 0, 0, stream), nowUs);
            }
        }
    }

    /// <summary>At the VPS the answer brings the window.</summary>
    private bool IsUnanswered(EngineStream stream) => _role == TrunkRole.Vps && !stream.IsAnswered;
}
