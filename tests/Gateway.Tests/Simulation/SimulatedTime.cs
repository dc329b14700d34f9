namespace Aggregator.Gateway.Tests.Simulation;

/// <summary>Time that passes when the simulation says so; it knows which timers are set.</summary>
internal sealed class SimulatedTime : TimeProvider
{
    private readonly HashSet<Timer> _timers = [];

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    internal TimeSpan Now { get; private set; } = TimeSpan.FromTicks(1);

    /// <summary>That were made and not disposed of, set or not.</summary>
    internal int Timers => _timers.Count;

    /// <summary>The next to fire; null: none is set.</summary>
    internal TimeSpan? Next => _timers.Min(t => t.Due);

    public override long GetTimestamp() => Now.Ticks;

    public override DateTimeOffset GetUtcNow() => new DateTimeOffset(2030, 1, 1, 0, 0, 0, TimeSpan.Zero) + Now;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new Timer(this, callback, state);
        _timers.Add(timer);
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Fires what is due by then, in order.</summary>
    internal void AdvanceTo(TimeSpan moment)
    {
        while (_timers.Where(t => t.Due <= moment).MinBy(t => t.Due) is { Due: { } due } timer)
        {
            Now = due > Now ? due : Now;
            timer.Due = null;
            timer.Fire();
        }

        Now = moment > Now ? moment : Now;
    }

    private sealed class Timer(SimulatedTime time, TimerCallback callback, object? state) : ITimer
    {
        internal TimeSpan? Due { get; set; }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            Due = dueTime == Timeout.InfiniteTimeSpan ? null
                : period == Timeout.InfiniteTimeSpan ? time.Now + dueTime
                : throw new NotSupportedException("periodic timers");
            return true;
        }

        public void Dispose() => time._timers.Remove(this);

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }

        internal void Fire() => callback(state);
    }
}
