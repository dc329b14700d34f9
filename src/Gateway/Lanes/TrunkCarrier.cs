using Aggregator.Flows;
using Aggregator.Gateway.Carriers;
using Aggregator.Gateway.Configuration;
using Aggregator.Trunk;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Lanes;

/// <summary>
/// Every flow is a stream of one session, whose lanes are one connection a WAN: an open costs no handshake, and a stream has all WANs together.
/// </summary>
internal sealed class TrunkCarrier : ICarrier
{
    private readonly INodeState _node;
    private readonly TrunkLimits _limits;
    private readonly TimeProvider _time;
    private readonly Lock _lock = new();
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _waiting;
    private volatile bool _disposed;

    internal TrunkCarrier(
        Func<TrunkSessions, TrunkLaneDialer> dialer, IWanList wans, INodeState node, TrunkBudget budget, TrunkLimits limits, TimeProvider time, ILogger logger)
    {
        _node = node;
        _limits = limits;
        _time = time;
        Sessions = new TrunkSessions(budget, time, logger);
        Lanes = new LaneSet(wans, node, Sessions, dialer(Sessions), limits, time, logger);
        Lanes.Changed += OnChanged;
        _node.Changed += OnChanged;
    }

    public string Name => GatewayConfig.TrunkCarrier;

    internal TrunkSessions Sessions { get; }

    internal LaneSet Lanes { get; }

    /// <summary>Flows that wait for a lane.</summary>
    internal int Waiting => Volatile.Read(ref _waiting);

    public ValueTask<CarriedFlow> OpenAsync(FlowTarget target, ReadOnlyMemory<byte> firstBytes, CancellationToken cancellationToken) =>
        OpenAsync(default(FlowOrigin), target, firstBytes, cancellationToken);

    public async ValueTask<CarriedFlow> OpenAsync(
        FlowOrigin origin, FlowTarget target, ReadOnlyMemory<byte> firstBytes, CancellationToken cancellationToken)
    {
        try
        {
            TrunkSession? session = Sessions.Current;
            if (session is not { IsCarrying: true })
            {
                OpenResult failure = await WaitForLaneAsync(cancellationToken);
                if (failure != OpenResult.Opened)
                {
                    return NotCarried(failure);
                }

                session = Sessions.Current;
            }

            TrunkStream? stream = session is null ? null : await session.OpenAsync(target, firstBytes, origin.Class, cancellationToken);
            return stream is null
                ? NotCarried(session is { Ended.IsCompleted: false } ? OpenResult.Busy : OpenResult.NoCarrier)
                : new CarriedFlow(stream, AwaitAnswerAsync(session!, stream));
        }
        catch (FlowProtocolException)
        {
            // The target has no form on the wire.
            return NotCarried(OpenResult.Failed);
        }
    }

    public async ValueTask DisposeAsync()
    {
        _disposed = true;
        OnChanged();
        _node.Changed -= OnChanged;
        await Lanes.DisposeAsync();
        await Sessions.DisposeAsync();
    }

    private static CarriedFlow NotCarried(OpenResult result) => new(null, Task.FromResult(new OpenReply(result, null)));

    private void OnChanged()
    {
        TaskCompletionSource changed;
        lock (_lock)
        {
            changed = _changed;
            _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        changed.TrySetResult();
    }

    /// <returns><see cref="OpenResult.Opened"/> when there is a lane; else why not.</returns>
    private async Task<OpenResult> WaitForLaneAsync(CancellationToken cancellationToken)
    {
        if (Interlocked.Increment(ref _waiting) > _limits.MaxWaiting)
        {
            Interlocked.Decrement(ref _waiting);
            return OpenResult.Busy;
        }

        try
        {
            long since = _time.GetTimestamp();
            while (true)
            {
                Task changed;
                lock (_lock)
                {
                    changed = _changed.Task;
                }

                if (Sessions.Current is { IsCarrying: true })
                {
                    return OpenResult.Opened;
                }

                TimeSpan left = _limits.WaitForLane - _time.GetElapsedTime(since);
                if (_disposed || left <= TimeSpan.Zero || _node.Reachability is NodeReachability.Unpaired or NodeReachability.Unreachable)
                {
                    return OpenResult.NoCarrier;
                }

                // A stalled lane that carries again is no event: looked at now and then.
                await Task.WhenAny(changed, Task.Delay(left < _limits.LookAgain ? left : _limits.LookAgain, _time, cancellationToken));
                cancellationToken.ThrowIfCancellationRequested();
            }
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }
    }

    /// <summary>The VPS's answer. Lanes that were idle are only known to be dead once something was sent: then, and without a VPS, none is waited for.</summary>
    private async Task<OpenReply> AwaitAnswerAsync(TrunkSession session, TrunkStream stream)
    {
        long since = _time.GetTimestamp();
        while (true)
        {
            await ((Task)stream.Opened).WaitAsync(_limits.LookAgain, _time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
            if (stream.Opened.IsCompleted)
            {
                FlowReply reply = await stream.Opened;
                return new OpenReply(reply.Result, reply.Bound);
            }

            bool isGone = !session.IsCarrying && _node.Reachability == NodeReachability.Unreachable;
            if (isGone || _time.GetElapsedTime(since) >= _limits.AnswerTimeout)
            {
                stream.Abort();
                return new OpenReply(isGone ? OpenResult.NoCarrier : OpenResult.TimedOut, null);
            }
        }
    }
}
