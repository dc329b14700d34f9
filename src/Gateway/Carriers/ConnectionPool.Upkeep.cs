using Aggregator.Flows;

namespace Aggregator.Gateway.Carriers;

/// <summary>Dialling, watching and expiring. Methods without Async are called with the lock held.</summary>
internal sealed partial class ConnectionPool
{
    private async Task KeepUpAsync()
    {
        using var timer = new PeriodicTimer(_limits.TickPeriod, _time);
        CancellationToken stopping = _stopping.Token;
        try
        {
            await ReviewAsync();
            while (await timer.WaitForNextTickAsync(stopping))
            {
                try
                {
                    await ReviewAsync();
                }
                catch (Exception e) when (e is not OperationCanceledException)
                {
                    _logger.PoolFault(e);
                }
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Disposed.
        }
    }

    /// <summary>The oldest that is good and quick, or else the oldest that is good; the bad ones before it go to <paramref name="dropped"/>.</summary>
    private ReadyConnection? TakeReady(List<ReadyConnection> dropped)
    {
        LinkedListNode<ReadyConnection>? slow = null;
        for (var node = _ready.First; node is not null;)
        {
            var next = node.Next;
            if (node.Value.Readable.IsCompleted || !IsWanted(node.Value))
            {
                _ready.Remove(node);
                dropped.Add(node.Value);
            }
            else if (_wans.IsQuick(node.Value.Path))
            {
                _ready.Remove(node);
                return node.Value;
            }
            else
            {
                slow ??= node;
            }
            node = next;
        }
        if (slow is not null)
        {
            _ready.Remove(slow);
        }
        return slow?.Value;
    }

    /// <summary>Those that the next flows should have. Slow ones are kept beside them: their WAN may be the quick one again in a moment.</summary>
    private int QuickReady()
    {
        int quick = 0;
        foreach (ReadyConnection connection in _ready)
        {
            quick += _wans.IsQuick(connection.Path) ? 1 : 0;
        }
        return quick;
    }

    private bool IsWanted(ReadyConnection connection) => _wans.IsUsable(connection.Path) && _dialer.IsCurrent(connection);

    private List<ReadyConnection> TakeAll()
    {
        var all = _ready.ToList();
        _ready.Clear();
        return all;
    }

    private void DropExpired(List<ReadyConnection> dropped)
    {
        for (var node = _ready.First; node is not null;)
        {
            var next = node.Next;
            if (_time.GetElapsedTime(node.Value.ReadyAt) >= _limits.MaxReadyAge || !IsWanted(node.Value))
            {
                _ready.Remove(node);
                dropped.Add(node.Value);
            }
            node = next;
        }
    }

    private void FailLateWaiters()
    {
        // In order of arrival, so the first that may stay ends the search.
        while (_waiters.TryPeek(out PoolWaiter? first))
        {
            TimeSpan waited = _time.GetElapsedTime(first.Since);
            TimeSpan stalled = _time.GetElapsedTime(Math.Max(first.Since, _lastReady));
            if (!first.End.IsCompleted && waited < _limits.MaxWait && stalled < _limits.StallTimeout)
            {
                return;
            }
            _waiters.Dequeue().TryFail(OpenResult.NoCarrier);
        }
    }

    private void FailWaiters(OpenResult result)
    {
        while (_waiters.TryDequeue(out PoolWaiter? waiter))
        {
            waiter.TryFail(result);
        }
    }

    /// <summary>Starts the dials that are wanting, within the bounds.</summary>
    private void Refill()
    {
        if (_disposed || !MayDial)
        {
            return;
        }
        int wanted = _waiters.Count + Math.Max(0, Math.Min(_demand.Target - QuickReady(), (2 * _limits.MaxReady) - _ready.Count)) - _dialing;
        int room = _limits.MaxDialing - _dialing;
        if (Failing)
        {
            // One at a time, to see whether the VPS is back.
            room = _dialing == 0 && _time.GetElapsedTime(_lastFailure) >= _redialPause ? 1 : 0;
        }
        for (int n = Math.Min(wanted, room); n > 0; n--)
        {
            _dialing++;
            // Started off the lock: a dial may run a long way before it first waits.
            int generation = _generation;
            Task dial = Task.Run(() => DialAsync(generation));
            _dials.Add(dial);
            _ = dial.ContinueWith(ForgetDial, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
    }

    private void ForgetDial(Task dial)
    {
        lock (_lock)
        {
            _dials.Remove(dial);
        }
    }

    private async Task DialAsync(int generation)
    {
        ReadyConnection? connection = null;
        string reason = "";
        OpenResult failure = OpenResult.NoCarrier;
        try
        {
            connection = await _dialer.DialAsync(_stopping.Token);
        }
        catch (DialException e)
        {
            (reason, failure) = (e.Message, e.Result);
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            reason = "shutdown";
        }
        catch (Exception e)
        {
            _logger.PoolFault(e);
            reason = e.Message;
        }

        bool kept = true;
        lock (_lock)
        {
            _dialing--;
            if (_disposed || generation != _generation)
            {
                kept = false;
            }
            else if (connection is null)
            {
                Failed(reason, failure);
            }
            else
            {
                Succeeded(connection);
            }
            Refill();
        }
        if (connection is not null && !kept)
        {
            await connection.DropAsync();
        }
        else if (connection is not null)
        {
            _ = WatchAsync(connection);
        }
    }

    private void Failed(string reason, OpenResult failure)
    {
        _failures++;
        _failure = failure;
        _lastFailure = _time.GetTimestamp();
        if (_failures < _limits.FailuresToGiveUp)
        {
            return;
        }
        if (_failures == _limits.FailuresToGiveUp)
        {
            _logger.PoolFailing(reason);
        }
        TimeSpan pause = _redialPause * 2;
        _redialPause = pause < _limits.MinRedialPause ? _limits.MinRedialPause
            : pause > _limits.MaxRedialPause ? _limits.MaxRedialPause
            : pause;
        FailWaiters(failure);
    }

    private void Succeeded(ReadyConnection connection)
    {
        if (Failing)
        {
            _logger.PoolRecovered();
        }
        _failures = 0;
        _redialPause = TimeSpan.Zero;
        _lastReady = _time.GetTimestamp();
        while (_waiters.TryDequeue(out PoolWaiter? waiter))
        {
            if (waiter.TryGive(connection))
            {
                return;
            }
        }
        _ready.AddLast(connection);
    }

    /// <summary>Waits, without a thread, for the end of a ready connection; does nothing to one that a flow has taken.</summary>
    private async Task WatchAsync(ReadyConnection connection)
    {
        try
        {
            await connection.Readable;
        }
        catch (IOException)
        {
            // Whoever has it by now meets the same.
        }
        bool mine;
        lock (_lock)
        {
            mine = _ready.Remove(connection);
            if (mine)
            {
                Refill();
            }
        }
        if (mine)
        {
            await DropAsync([connection], "the VPS ended it");
        }
    }

    private async ValueTask DropAsync(List<ReadyConnection> dropped, string reason)
    {
        if (dropped.Count == 0)
        {
            return;
        }
        _logger.ReadyDropped(dropped.Count, reason);
        foreach (ReadyConnection connection in dropped)
        {
            await connection.DropAsync();
        }
    }
}
