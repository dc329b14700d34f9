using Aggregator.Flows;
using Microsoft.Extensions.Logging;

namespace Aggregator.Trunk;

/// <summary>
/// One trunk between a gateway and a VPS: lanes that come and go, streams that live through it. The same type at both ends.
/// Safe for many threads: everything happens under one lock, held for a batch of frames at most; nothing is awaited under it and no
/// connection is touched.
/// </summary>
internal sealed partial class TrunkSession : IAsyncDisposable
{
    internal const string MeterName = "Aggregator.Trunk";

    /// <summary>For what we have said to leave, when the session ends.</summary>
    private static readonly TimeSpan GoodbyeTime = TimeSpan.FromSeconds(2);

    private readonly TaskCompletionSource<TrunkEnd> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<TrunkLane> _lanes = [];
    private readonly string _name;
    private readonly ITrunkAcceptor? _acceptor;
    private readonly TrunkOptions _options;
    private readonly ILogger _logger;
    private readonly TrunkEngine _engine;
    private readonly List<TrunkStream> _justOpened = [];
    private readonly long _startedAt;
    private long? _lanelessSinceUs = 0;
    private bool _isFast;
    private TrunkEnd? _end;

    /// <param name="role">Which end we are.</param>
    /// <param name="id">The gateway makes a random one; the VPS takes it from the first lane's offer.</param>
    /// <param name="name">For logs and metrics: the gateway's name at the VPS, the VPS's address at the gateway.</param>
    /// <param name="acceptor">At the VPS; null at the gateway.</param>
    /// <param name="budget">The daemon's one.</param>
    internal TrunkSession(
        TrunkRole role, UInt128 id, string name, ITrunkAcceptor? acceptor, TrunkBudget budget, TrunkOptions options, TimeProvider time, ILogger logger)
    {
        Role = role;
        Id = id;
        Time = time;
        _name = name;
        _acceptor = acceptor;
        _options = options;
        _logger = logger;
        _startedAt = time.GetTimestamp();
        _engine = new TrunkEngine(role, new EarliestCompletionScheduler(), budget, options, this);
        TrunkMetrics.Add(this);
        TrunkTicker.Shared.Add(this);
    }

    internal TrunkRole Role { get; }

    internal UInt128 Id { get; }

    internal string Name => _name;

    internal TimeProvider Time { get; }

    /// <summary>Guards the engine and all that it tells us.</summary>
    internal object Gate { get; } = new();

    /// <summary>Completes when the session has ended, however it did; all its lanes and streams have then. Never faults.</summary>
    internal Task<TrunkEnd> Ended => _ended.Task;

    /// <summary>Lanes at this moment.</summary>
    internal int LaneCount
    {
        get
        {
            lock (Gate)
            {
                return _lanes.Count;
            }
        }
    }

    /// <summary>Whether another lane would be taken.</summary>
    internal bool CanAddLane
    {
        get
        {
            lock (Gate)
            {
                return _end is null && _lanes.Count < _options.MaxLanes;
            }
        }
    }

    /// <summary>Some lane carries (not stalled): opening a stream makes sense.</summary>
    internal bool IsCarrying
    {
        get
        {
            lock (Gate)
            {
                return _end is null && _engine.IsCarrying;
            }
        }
    }

    private long NowUs => (long)Time.GetElapsedTime(_startedAt).TotalMicroseconds + 1;

    /// <summary>Makes a lane of a connection whose hello is done. It carries at once. On a session that has ended, or with too many lanes, it ends at once.</summary>
    internal TrunkLane AddLane(LaneTransport transport)
    {
        var lane = new TrunkLane(this, transport);
        lock (Gate)
        {
            if (_end is not null || _lanes.Count >= _options.MaxLanes || _lanes.Exists(l => l.Id == transport.Id))
            {
                lane.SetEnded(new LaneEnd(LaneEndReason.Closed, _end is null ? "The session has its most lanes." : "The session has ended."));
                return lane;
            }

            _lanes.Add(lane);
            _lanelessSinceUs = null;
            Guarded(static (session, lane) =>
            {
                lane.Engine = session._engine.AddLane(lane.Id, lane.Transport.Role, session.NowUs);
                lane.Engine.Owner = lane;
            }, lane);
        }

        _logger.LaneUp(_name, lane.Id, lane.Link);
        lane.Start();
        return lane;
    }

    /// <summary>
    /// Opens a stream (gateway). Returns as soon as the open and <paramref name="firstBytes"/> are queued for the quickest lane; they are not looked at any more then.
    /// The VPS's answer is <see cref="TrunkStream.Opened"/>. Without any lane the stream waits for one.
    /// </summary>
    /// <returns>Null: the session has ended, or has its most streams.</returns>
    /// <exception cref="FlowProtocolException">The target has no form on the wire.</exception>
    internal async ValueTask<TrunkStream?> OpenAsync(
        FlowTarget target, ReadOnlyMemory<byte> firstBytes, FlowClass flowClass, CancellationToken cancellationToken)
    {
        if (target.Name is { } name && !FlowProtocol.IsName(name))
        {
            throw new FlowProtocolException("a host name has 1 to 255 visible ASCII characters");
        }

        var stream = Open(target, flowClass);
        if (stream is not null && firstBytes.Length > 0)
        {
            try
            {
                await stream.WriteAsync(firstBytes, cancellationToken);
            }
            catch (IOException)
            {
                // The session ended under it; the answer says so.
            }
            catch
            {
                stream.Abort();
                throw;
            }
        }

        return stream;
    }

    /// <summary>Ends the session, tells the peer, and waits until lanes and streams have ended.</summary>
    public async ValueTask DisposeAsync()
    {
        End(new TrunkEnd(TrunkEndReason.Closed, null));
        await Ended;
    }

    /// <summary>Ends the session: says goodbye on the lanes, breaks the streams, closes the lanes.</summary>
    internal void End(TrunkEnd end)
    {
        lock (Gate)
        {
            if (_end is not null)
            {
                return;
            }

            _end = end;
            _engine.BreakAll(StreamBreak.SessionLost);
            if (end.Reason is TrunkEndReason.Closed or TrunkEndReason.ProtocolError)
            {
                _engine.SayGoodbye(end.Reason == TrunkEndReason.Closed ? GoodbyeCode.Closed : GoodbyeCode.ProtocolError);
            }

            foreach (var lane in _lanes)
            {
                lane.CompleteWhenDrained();
            }
        }

        _ = FinishAsync(end);
    }

    private async Task FinishAsync(TrunkEnd end)
    {
        TrunkLane[] lanes;
        lock (Gate)
        {
            lanes = [.. _lanes];
        }

        await Task.WhenAny(Task.WhenAll(lanes.Select(l => l.Ended)), Task.Delay(GoodbyeTime, Time));
        foreach (var lane in lanes)
        {
            if (lane.Ended.IsCompleted)
            {
                // A reset now could overtake the end that the peer is about to read.
                lane.AbortLater();
            }
            else
            {
                EndLane(lane, new LaneEnd(LaneEndReason.Closed, null), abort: true);
            }
        }

        TrunkTicker.Shared.Remove(this);
        DatagramReceiver.Clear();
        _engine.Datagrams.Clear();
        TrunkMetrics.Remove(this);
        _logger.TrunkEnded(_name, end.Reason, end.Detail ?? "in good order");
        _ended.TrySetResult(end);
    }
}
