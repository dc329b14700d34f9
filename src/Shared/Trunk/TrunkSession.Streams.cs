using Aggregator.Flows;

namespace Aggregator.Trunk;

/// <content>What streams ask.</content>
internal sealed partial class TrunkSession
{
    private TrunkStream? Open(FlowTarget target, FlowClass flowClass)
    {
        lock (Gate)
        {
            if (_end is not null || _engine.Open(target, flowClass, NowUs) is not { } engine)
            {
                return null;
            }

            var stream = new TrunkStream(this, engine);
            engine.Owner = stream;
            KeepTicking();
            return stream;
        }
    }

    internal void Reply(TrunkStream stream, FlowReply reply)
    {
        lock (Gate)
        {
            Guarded(static (session, args) => session._engine.Reply(args.Engine, args.reply, session.NowUs), (stream.Engine, reply));
        }
    }

    internal int Write(TrunkStream stream, ReadOnlySpan<byte> bytes)
    {
        lock (Gate)
        {
            stream.ThrowIfBroken();
            if (stream.Engine.IsGone || stream.Engine.IsFinished)
            {
                throw new IOException("The stream's direction has ended.");
            }

            int count = _engine.Write(stream.Engine, bytes, NowUs);
            KeepTicking();
            return count;
        }
    }

    /// <summary>Under the lock. -1: nothing is there yet.</summary>
    internal int ReadLocked(TrunkStream stream, Span<byte> buffer)
    {
        if (stream.Engine.IsAllRead)
        {
            return 0;
        }

        if (!stream.Engine.IsReadable)
        {
            return -1;
        }

        int count = _engine.Read(stream.Engine, buffer, NowUs);
        KeepTicking();
        return count;
    }

    internal void Finish(TrunkStream stream)
    {
        lock (Gate)
        {
            stream.ThrowIfBroken();
            _engine.Finish(stream.Engine, NowUs);
            KeepTicking();
        }
    }

    internal void Abort(TrunkStream stream)
    {
        lock (Gate)
        {
            if (!stream.Engine.IsGone)
            {
                Guarded(static (session, engine) => session._engine.Reset(engine, StreamBreak.Aborted, session.NowUs), stream.Engine);
            }

            stream.SetBroken("The stream was aborted.");
        }
    }

    internal void Dispose(TrunkStream stream)
    {
        lock (Gate)
        {
            // What was written is still delivered when both ends are in order: the engine keeps the stream until then.
            if (stream.Engine.IsGone || (stream.Engine.IsFinished && stream.Engine.IsAllRead))
            {
                return;
            }
        }

        Abort(stream);
    }

    // Outside of the lock: the acceptor may do anything.
    private void AnnounceOpened()
    {
        while (true)
        {
            TrunkStream stream;
            lock (Gate)
            {
                if (_justOpened.Count == 0)
                {
                    return;
                }

                stream = _justOpened[0];
                _justOpened.RemoveAt(0);
            }

            _acceptor!.Opened(stream, stream.Engine.Target!.Value, stream.Engine.FlowClass);
        }
    }
}
