using Aggregator.Flows;
using Microsoft.Extensions.Logging;

namespace Aggregator.Trunk;

/// <content>What lanes, streams and the ticker ask, and what the engine tells.</content>
internal sealed partial class TrunkSession : ITrunkEvents
{
    // Lanes.

    /// <returns>Bytes to write; 0: none now; -1: the lane is no part of the session any more.</returns>
    internal int Fill(TrunkLane lane, LaneReading? reading, Span<byte> buffer)
    {
        lock (Gate)
        {
            var engine = lane.Engine!;
            if (engine.IsGone)
            {
                return -1;
            }

            try
            {
                long now = NowUs;
                if (reading is { } known)
                {
                    _engine.Read(engine, known, now);
                }

                int count = _engine.Fill(engine, buffer, now);
                KeepTicking();
                if (count == 0 && engine.IsRetiring && TrunkEngine.IsDrained(engine))
                {
                    lane.CompleteWhenDrained();
                }

                return count;
            }
            catch (TrunkProtocolException e)
            {
                Fail(e);
                return 0;
            }
        }
    }

    internal bool IsDrained(TrunkLane lane)
    {
        lock (Gate)
        {
            return lane.Engine!.Urgent.Count == 0;
        }
    }

    internal ValueTask WaitForWorkAsync(TrunkLane lane, Waiter work)
    {
        _ = lane;
        lock (Gate)
        {
            return work.Arm();
        }
    }

    /// <returns>False: the lane is no part of the session any more.</returns>
    internal bool Received(TrunkLane lane, ReadOnlySpan<byte> bytes)
    {
        TrunkProtocolException? error = null;
        lock (Gate)
        {
            if (lane.Engine!.IsGone)
            {
                return false;
            }

            try
            {
                if (_end is null)
                {
                    _engine.Received(lane.Engine, bytes, NowUs);
                }
            }
            catch (TrunkProtocolException e)
            {
                error = e;
            }

            KeepTicking();
        }

        AnnounceOpened();
        if (error is { EndsSession: true })
        {
            Fail(error);
        }
        else if (error is not null)
        {
            EndLane(lane, new LaneEnd(LaneEndReason.ProtocolError, error.Message));
        }

        return error is null;
    }

    /// <summary>The peer ended its direction of the lane.</summary>
    internal void LaneReadEnded(TrunkLane lane)
    {
        bool whole;
        lock (Gate)
        {
            whole = lane.Engine!.Parser.IsBetweenFrames;
            if (whole && !lane.Engine.IsGone)
            {
                lane.CompleteWhenDrained();
            }
        }

        EndLane(lane, whole
            ? new LaneEnd(LaneEndReason.ClosedByPeer, null)
            : new LaneEnd(LaneEndReason.Broken, "It ended in the middle of a frame."));
    }

    internal void EndLane(TrunkLane lane, LaneEnd end, bool abort = false)
    {
        lock (Gate)
        {
            if (lane.Engine is not { } engine)
            {
                return;
            }

            if (_lanes.Remove(lane))
            {
                if (_lanes.Count == 0)
                {
                    _lanelessSinceUs = NowUs;
                }

                Guarded(static (session, gone) => session._engine.RemoveLane(gone, session.NowUs), engine);
                _logger.LaneEnded(_name, lane.Id, lane.Link, end.Reason, end.Detail ?? "in good order");
                lane.SignalWork();
            }
        }

        lane.SetEnded(end);
        if (abort)
        {
            lane.Transport.Stream.Abort();
        }
    }

    /// <summary>A bug of ours.</summary>
    internal void LaneFailed(TrunkLane lane, Exception error)
    {
        _logger.LaneFailed(error, _name, lane.Id);
        EndLane(lane, new LaneEnd(LaneEndReason.Broken, error.Message));
    }

    internal TimeSpan? StalledFor(TrunkLane lane)
    {
        lock (Gate)
        {
            return lane.Engine?.StalledSinceUs is { } since ? TimeSpan.FromMicroseconds(NowUs - since) : null;
        }
    }

    internal void SetRole(TrunkLane lane, LaneRole role) =>
        WithLane(lane, (session, engine) =>
        {
            if (engine.Role != role)
            {
                session._engine.SetRole(engine, role, session.NowUs);
            }
        });

    internal void Retire(TrunkLane lane) => WithLane(lane, static (session, engine) => session._engine.Retire(engine, session.NowUs));

    private void WithLane(TrunkLane lane, Action<TrunkSession, EngineLane> action)
    {
        lock (Gate)
        {
            if (lane.Engine is { IsGone: false } engine)
            {
                Guarded(action, engine);
            }
        }
    }

    // Streams.

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

    // The ticker.

    /// <returns>Whether to be called again in a millisecond.</returns>
    internal bool Tick()
    {
        bool given = false;
        bool fast;
        lock (Gate)
        {
            if (_end is null && _lanelessSinceUs is { } since && NowUs - since > _options.LanelessTime.TotalMicroseconds)
            {
                given = true;
            }

            Guarded(static (session, _) => session._isFast = session._engine.Tick(session.NowUs), 0, ticks: true);
            fast = _isFast;
        }

        if (given)
        {
            End(new TrunkEnd(TrunkEndReason.NoLanes, null));
        }

        return fast;
    }

    /// <summary>Under the lock, after a call that may have set something in motion.</summary>
    private void KeepTicking()
    {
        if (_engine.IsActive && !_isFast)
        {
            _isFast = true;
            TrunkTicker.Shared.Wake();
        }
    }

    /// <summary>Under the lock: what the engine finds wrong with the peer ends the session, not the caller.</summary>
    private void Guarded<T>(Action<TrunkSession, T> action, T argument, bool ticks = false)
    {
        try
        {
            action(this, argument);
        }
        catch (TrunkProtocolException e)
        {
            Fail(e);
        }

        if (!ticks)
        {
            KeepTicking();
        }
    }

    private void Fail(TrunkProtocolException error) => End(new TrunkEnd(TrunkEndReason.ProtocolError, error.Message));

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

    // The engine's events, under the lock.

    void ITrunkEvents.LaneHasWork(EngineLane lane) => (lane.Owner as TrunkLane)?.SignalWork();

    void ITrunkEvents.Readable(EngineStream stream) => (stream.Owner as TrunkStream)?.SignalReader();

    void ITrunkEvents.Writable(EngineStream stream) => (stream.Owner as TrunkStream)?.SignalWriter();

    void ITrunkEvents.Answered(EngineStream stream, FlowReply reply) => (stream.Owner as TrunkStream)?.SetAnswer(reply);

    void ITrunkEvents.Opened(EngineStream stream)
    {
        var opened = new TrunkStream(this, stream);
        stream.Owner = opened;
        _justOpened.Add(opened);
    }

    void ITrunkEvents.Broken(EngineStream stream, StreamBreak reason)
    {
        _logger.StreamBroke(_name, stream.Id, reason);
        (stream.Owner as TrunkStream)?.SetBroken(reason switch
        {
            StreamBreak.OutOfMemory => "The receiver had no memory left for this stream.",
            StreamBreak.SessionLost => "The trunk ended.",
            _ => "The peer reset the stream.",
        });
    }

    void ITrunkEvents.PeerLeft(GoodbyeCode code) =>
        End(new TrunkEnd(TrunkEndReason.ClosedByPeer, code == GoodbyeCode.Closed ? null : "The peer met a protocol error."));

    void ITrunkEvents.LaneStalled(EngineLane lane, bool isStalled)
    {
        if (lane.Owner is TrunkLane owner)
        {
            if (isStalled)
            {
                _logger.LaneStalled(_name, owner.Id, owner.Link);
            }
            else
            {
                _logger.LaneBack(_name, owner.Id, owner.Link);
            }
        }
    }

    void ITrunkEvents.LaneGuarded(EngineLane lane)
    {
        if (lane.Owner is TrunkLane owner && lane.Guard is { DemotedUntilUs: { } until } guard)
        {
            _logger.LaneDemoted(
                _name, owner.Id, owner.Link, Mbps(guard.WithBytesPerSecond ?? 0), Mbps(guard.WithoutBytesPerSecond ?? 0), (until - NowUs) / 1e6);
        }
    }
}
