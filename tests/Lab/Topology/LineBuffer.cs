using System.Diagnostics;

namespace Aggregator.Lab.Topology;

/// <summary>The newest lines of a stream; others may wait for one.</summary>
internal sealed class LineBuffer(int capacity)
{
    private readonly Lock _lock = new();
    private readonly Queue<(long At, string Text)> _lines = new();
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _added;
    private bool _complete;

    internal IReadOnlyList<string> Lines
    {
        get
        {
            lock (_lock)
            {
                return [.. _lines.Select(l => l.Text)];
            }
        }
    }

    /// <summary>With the moment (of Stopwatch) in which each was read.</summary>
    internal IReadOnlyList<(long At, string Text)> Stamped
    {
        get
        {
            lock (_lock)
            {
                return [.. _lines];
            }
        }
    }

    internal void Add(string line)
    {
        lock (_lock)
        {
            _lines.Enqueue((Stopwatch.GetTimestamp(), line));
            _added++;
            if (_lines.Count > capacity)
            {
                _lines.Dequeue();
            }

            Pulse();
        }
    }

    internal void Complete()
    {
        lock (_lock)
        {
            _complete = true;
            Pulse();
        }
    }

    /// <summary>The first kept or coming line that matches; null when the stream ended without one.</summary>
    internal async Task<string?> FindAsync(Func<string, bool> matches, CancellationToken cancellationToken)
    {
        long seen = 0;
        while (true)
        {
            Task changed;
            string[] fresh;
            bool complete;
            lock (_lock)
            {
                fresh = [.. _lines.TakeLast((int)Math.Min(_added - seen, _lines.Count)).Select(l => l.Text)];
                seen = _added;
                complete = _complete;
                changed = _changed.Task;
            }

            if (Array.Find(fresh, line => matches(line)) is { } found)
            {
                return found;
            }

            if (complete)
            {
                return null;
            }

            try
            {
                await changed.WaitAsync(cancellationToken);
            }
            catch (OperationCanceledException)
            {
                return null;
            }
        }
    }

    private void Pulse()
    {
        var changed = _changed;
        _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        changed.SetResult();
    }
}
