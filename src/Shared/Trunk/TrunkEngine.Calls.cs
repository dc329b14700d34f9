using Aggregator.Flows;

namespace Aggregator.Trunk;

/// <content>What begins and ends streams: opens, replies, resets.</content>
internal sealed partial class TrunkEngine
{
    /// <summary>A new stream at the VPS; null: it was answered "busy".</summary>
    private EngineStream? Begin(uint id)
    {
        if (_streams.Count < _options.MaxStreams)
        {
            return Add(id, FlowClass.Default, _nowUs);
        }

        var refused = new EngineStream(id, FlowClass.Default, _budget.Pool) { Answer = new FlowReply(OpenResult.Busy, null), IsAnswered = true };
        refused.Drop();
        Push(new Outgoing(TrunkFrameType.Reply, id, 0, 0, 0, refused), _nowUs);
        return null;
    }

    private void OnOpen(in TrunkFrame frame, ReadOnlySpan<byte> body)
    {
        if (_role == TrunkRole.Gateway)
        {
            throw new TrunkProtocolException("the VPS opens no streams", endsSession: true);
        }

        var target = ReadTarget(body);
        if (!_streams.TryGetValue(frame.Stream, out var stream))
        {
            stream = IsNew(frame.Stream) ? Begin(frame.Stream) : null;
        }

        if (stream is null || stream.IsOpen)
        {
            return;
        }

        stream.IsOpen = true;
        stream.FlowClass = (FlowClass)frame.Flags;
        stream.Target = target;
        stream.SendLimit = Math.Max(stream.SendLimit, frame.Value);
        _events.Opened(stream);
    }

    private static FlowTarget ReadTarget(ReadOnlySpan<byte> body)
    {
        try
        {
            if (body.Length > FlowProtocol.OpenHeaderBytes)
            {
                var header = FlowProtocol.ReadOpenHeader(body);
                if (body.Length == FlowProtocol.OpenHeaderBytes + header.TargetBytes)
                {
                    return FlowProtocol.ReadTarget(header, body[FlowProtocol.OpenHeaderBytes..]);
                }
            }
        }
        catch (FlowProtocolException e)
        {
            throw new TrunkProtocolException("an open: " + e.Message, endsSession: true);
        }

        throw new TrunkProtocolException("an open whose target has another length than it says", endsSession: true);
    }

    private void OnReply(in TrunkFrame frame, ReadOnlySpan<byte> body)
    {
        if (_role == TrunkRole.Vps)
        {
            throw new TrunkProtocolException("the gateway answers no opens", endsSession: true);
        }

        FlowReply reply;
        try
        {
            reply = FlowProtocol.ReadReply(body);
        }
        catch (FlowProtocolException e)
        {
            throw new TrunkProtocolException("a reply: " + e.Message, endsSession: true);
        }

        if (Find(frame.Stream) is not { IsAnswered: false } stream)
        {
            return;
        }

        stream.IsAnswered = true;
        stream.IsOpen = true;
        stream.Answer = reply;
        stream.SendLimit = Math.Max(stream.SendLimit, frame.Value);
        _events.Answered(stream, reply);
        if (reply.Result == OpenResult.Opened)
        {
            TellWriter(stream);
        }
        else
        {
            Remove(stream);
            _events.Broken(stream, StreamBreak.Aborted);
        }
    }

    private void OnReset(in TrunkFrame frame)
    {
        if (_streams.TryGetValue(frame.Stream, out var stream))
        {
            bool told = _role == TrunkRole.Gateway || stream.IsOpen;
            Remove(stream);
            if (told)
            {
                _events.Broken(stream, frame.Flags == (byte)StreamBreak.OutOfMemory ? StreamBreak.OutOfMemory : StreamBreak.Aborted);
            }
        }
        else if (_role == TrunkRole.Vps)
        {
            // It overtook its open: that will find the number used.
            IsNew(frame.Stream);
        }
        else
        {
            Find(frame.Stream);
        }
    }
}
