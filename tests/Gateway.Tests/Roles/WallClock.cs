namespace Aggregator.Gateway.Tests.Roles;

/// <summary>Time that passes when a test says so; local time is UTC.</summary>
internal sealed class WallClock(DateTimeOffset begin) : TimeProvider
{
    private TimeSpan _passed = TimeSpan.FromSeconds(1);

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    public override long GetTimestamp() => _passed.Ticks;

    public override DateTimeOffset GetUtcNow() => begin + _passed;

    internal void Advance(TimeSpan time) => _passed += time;
}
