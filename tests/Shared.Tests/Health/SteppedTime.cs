namespace Aggregator.Shared.Tests.Health;

/// <summary>Steady time that passes when a test says so, and a wall clock that somebody sets.</summary>
internal sealed class SteppedTime : TimeProvider
{
    private TimeSpan _steady;
    private TimeSpan _set;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => _steady.Ticks;

    public override DateTimeOffset GetUtcNow() => new DateTimeOffset(2030, 1, 1, 0, 0, 0, TimeSpan.Zero) + _steady + _set;

    internal void Pass(TimeSpan time) => _steady += time;

    internal void SetWall(TimeSpan by) => _set += by;
}
