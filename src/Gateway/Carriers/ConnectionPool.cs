using Aggregator.Flows;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Carriers;

/// <summary>
/// Connections to the VPS, ready for flows to come.
/// Dial (bounded) → ready, oldest first → taken by a flow; a flow that finds none waits in order of arrival for the next that becomes ready.
/// When dials fail in a row, waiting flows are given up, new ones fail at once, and one dial after another probes with growing pauses.
/// One lock, never held over a wait or a call to the outside, but for asking whether a connection's WAN and VPS are still wanted.
/// </summary>
internal sealed partial class ConnectionPool : IAsyncDisposable
{
    private readonly ILaneDialer _dialer;
    private readonly IWanSelector _wans;
    private readonly INodeState _node;
    private readonly CarrierLimits _limits;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _upkeep;

    private readonly Lock _lock = new();
    private readonly LinkedList<ReadyConnection> _ready = new();
    private readonly Queue<PoolWaiter> _waiters = new();
    private readonly ReadyDemand _demand;
    private readonly HashSet<Task> _dials = [];
    private int _dialing;
    private int _generation;
    private int _failures;
    private TimeSpan _redialPause;
    private long _lastFailure;
    private long _lastReady;
    private OpenResult _failure = OpenResult.NoCarrier;
    private bool _disposed;

    internal ConnectionPool(ILaneDialer dialer, IWanSelector wans, INodeState node, CarrierLimits limits, TimeProvider time, ILogger logger)
    {
        _dialer = dialer;
        _wans = wans;
        _node = node;
        _limits = limits;
        _time = time;
        _logger = logger;
        _demand = new ReadyDemand(limits, time);
        _lastReady = time.GetTimestamp();
        _node.Changed += OnNodeChanged;
        _upkeep = KeepUpAsync();
    }

    /// <summary>Connections that the next flows take without waiting.</summary>
    internal int Ready
    {
        get
        {
            lock (_lock)
            {
                return _ready.Count;
            }
        }
    }

    internal int Dialing
    {
        get
        {
            lock (_lock)
            {
                return _dialing;
            }
        }
    }

    internal int Waiting
    {
        get
        {
            lock (_lock)
            {
                return _waiters.Count;
            }
        }
    }

    /// <summary>What is ready at this moment, for the kernel's figures only.</summary>
    internal ReadyConnection[] SnapshotReady()
    {
        lock (_lock)
        {
            return [.. _ready];
        }
    }

    private bool MayDial => _node.Reachability is NodeReachability.Connecting or NodeReachability.Connected;

    private bool Failing => _failures >= _limits.FailuresToGiveUp;

    /// <summary>A connection, at once when one is ready.</summary>
    internal async ValueTask<PoolTake> TakeAsync(CancellationToken cancellationToken)
    {
        List<ReadyConnection> dropped = [];
        PoolTake? taken;
        PoolWaiter waiter = new(_time.GetTimestamp());
        lock (_lock)
        {
            taken = TakeNow(waiter, dropped);
            Refill();
        }
        await DropAsync(dropped, "the peer ended them, or their WAN is gone");
        if (taken is { } now)
        {
            return now;
        }
        await using (cancellationToken.UnsafeRegister(static (w, token) => ((PoolWaiter)w!).TryCancel(token), waiter))
        {
            return await waiter.End;
        }
    }

    /// <summary>Drops what is ready and under way: the VPS is another one, or it is known that all are dead.</summary>
    internal async ValueTask ClearAsync(string reason)
    {
        List<ReadyConnection> dropped;
        lock (_lock)
        {
            dropped = TakeAll();
            _generation++;
            _failures = 0;
            _redialPause = TimeSpan.Zero;
        }
        await DropAsync(dropped, reason);
        lock (_lock)
        {
            Refill();
        }
    }

    /// <summary>Looks at everything soon, and does not wait for it: for events.</summary>
    internal void Wake() => _ = Task.Run(async () =>
    {
        try
        {
            await ReviewAsync();
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            _logger.PoolFault(e);
        }
    });

    /// <summary>Looks at everything now: to be called when links changed.</summary>
    internal async ValueTask ReviewAsync()
    {
        List<ReadyConnection> dropped = [];
        lock (_lock)
        {
            _demand.Turn();
            DropExpired(dropped);
            FailLateWaiters();
            Refill();
        }
        await DropAsync(dropped, "too old, or their WAN is down");
    }

    public async ValueTask DisposeAsync()
    {
        List<ReadyConnection> dropped;
        Task[] dials;
        lock (_lock)
        {
            if (_disposed)
            {
                return;
            }
            _disposed = true;
            dropped = TakeAll();
            FailWaiters(OpenResult.NoCarrier);
            dials = [.. _dials];
        }
        _node.Changed -= OnNodeChanged;
        await _stopping.CancelAsync();
        await DropAsync(dropped, "shutdown");
        await Task.WhenAll(dials);
        await _upkeep;
        _stopping.Dispose();
    }

    /// <summary>What can be said at once; null when <paramref name="waiter"/> was put in the queue.</summary>
    private PoolTake? TakeNow(PoolWaiter waiter, List<ReadyConnection> dropped)
    {
        if (_disposed || !MayDial)
        {
            return new PoolTake(null, OpenResult.NoCarrier);
        }
        _demand.Opened();
        if (TakeReady(dropped) is { } connection)
        {
            return new PoolTake(connection, OpenResult.Opened);
        }
        if (Failing)
        {
            return new PoolTake(null, _failure);
        }
        if (_waiters.Count >= _limits.MaxWaiting)
        {
            return new PoolTake(null, OpenResult.Busy);
        }
        _waiters.Enqueue(waiter);
        return null;
    }

    private void OnNodeChanged() => _ = AfterNodeChangedAsync();

    private async Task AfterNodeChangedAsync()
    {
        List<ReadyConnection> dropped = [];
        lock (_lock)
        {
            if (_disposed)
            {
                return;
            }
            if (!MayDial)
            {
                // What is ready may be dead without having said so; a flow must not be lost on it.
                dropped = TakeAll();
                _generation++;
                FailWaiters(OpenResult.NoCarrier);
            }
            else
            {
                // The control session just got through, so dials will.
                _failures = 0;
                _redialPause = TimeSpan.Zero;
                Refill();
            }
        }
        await DropAsync(dropped, "the VPS is not reachable");
    }
}
