namespace Aggregator.Gateway.Speed;

/// <summary>Seconds since a test began, steady.</summary>
internal sealed class SpeedClock(TimeProvider time)
{
    private readonly long _began = time.GetTimestamp();

    internal TimeProvider Time { get; } = time;

    internal double NowS => Time.GetElapsedTime(_began).TotalSeconds;
}
