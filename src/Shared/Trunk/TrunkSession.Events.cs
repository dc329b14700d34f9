using Aggregator.Flows;
using Microsoft.Extensions.Logging;

namespace Aggregator.Trunk;

/// <content>The ticker's call, and what the engine tells: under the lock, so it is noted and passed on.</content>
internal sealed partial class TrunkSession : ITrunkEvents
{
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

        DatagramReceiver.Tick(NowUs);
        fast |= DatagramReceiver.IsHolding;
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
