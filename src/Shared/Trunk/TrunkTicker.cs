namespace Aggregator.Trunk;

/// <summary>
/// The one thread that looks after all sessions of the process: every millisecond those in which something moves, four times a second the
/// others. .NET's timers are as coarse as the kernel's tick (4 ms at 250 Hz), too coarse to keep lanes fed from short queues.
/// </summary>
internal sealed class TrunkTicker
{
    private const int FastMs = 1;
    private const int SlowMs = 250;

    internal static TrunkTicker Shared { get; } = new();

    private readonly object _lock = new();
    private readonly List<TrunkSession> _sessions = [];
    private bool _isRunning;
    private bool _isWoken;

    internal void Add(TrunkSession session)
    {
        lock (_lock)
        {
            _sessions.Add(session);
            if (!_isRunning)
            {
                _isRunning = true;
                new Thread(Run) { IsBackground = true, Name = "trunk" }.Start();
            }
        }
    }

    internal void Remove(TrunkSession session)
    {
        lock (_lock)
        {
            _sessions.Remove(session);
        }
    }

    /// <summary>Something began to move.</summary>
    internal void Wake()
    {
        lock (_lock)
        {
            _isWoken = true;
            Monitor.Pulse(_lock);
        }
    }

    private void Run()
    {
        var round = new List<TrunkSession>();
        while (true)
        {
            lock (_lock)
            {
                if (_sessions.Count == 0)
                {
                    _isRunning = false;
                    return;
                }

                round.Clear();
                round.AddRange(_sessions);
            }

            bool fast = false;
            foreach (var session in round)
            {
                fast |= session.Tick();
            }

            lock (_lock)
            {
                if (fast || !_isWoken)
                {
                    Monitor.Wait(_lock, fast ? FastMs : SlowMs);
                }

                _isWoken = false;
            }
        }
    }
}
