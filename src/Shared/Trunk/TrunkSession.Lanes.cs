using Microsoft.Extensions.Logging;

namespace Aggregator.Trunk;

/// <content>What a lane's two loops and its owner ask, and how a lane ends.</content>
internal sealed partial class TrunkSession
{
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
}
