using System.Threading.Tasks.Sources;

namespace Aggregator.Trunk;

/// <summary>
/// One waiter at a time, again and again without allocation. A signal that nobody waits for is kept if asked so.
/// <see cref="Arm"/> and <see cref="Signal"/> are called under one lock; who waits goes on outside of it, on the thread pool.
/// </summary>
internal sealed class Waiter(bool keepsSignal) : IValueTaskSource
{
    private ManualResetValueTaskSourceCore<bool> _core = new() { RunContinuationsAsynchronously = true };
    private CancellationTokenRegistration _cancellation;
    private bool _isArmed;
    private bool _isSignalled;

    internal ValueTask Arm()
    {
        if (_isSignalled)
        {
            _isSignalled = false;
            return ValueTask.CompletedTask;
        }

        _core.Reset();
        _isArmed = true;
        return new ValueTask(this, _core.Version);
    }

    /// <summary>The registration is released when the wait ends.</summary>
    internal void SetCancellation(CancellationTokenRegistration registration) => _cancellation = registration;

    internal void Signal()
    {
        if (_isArmed)
        {
            _isArmed = false;
            _core.SetResult(true);
        }
        else
        {
            _isSignalled = keepsSignal;
        }
    }

    internal void Cancel(CancellationToken token)
    {
        if (_isArmed)
        {
            _isArmed = false;
            _core.SetException(new OperationCanceledException(token));
        }
    }

    void IValueTaskSource.GetResult(short token)
    {
        var cancellation = _cancellation;
        _cancellation = default;

        // Never waits for the callback: that may want the lock which our caller holds.
        cancellation.Unregister();
        _core.GetResult(token);
    }

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);
}
