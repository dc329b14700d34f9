namespace Aggregator.Gateway.Carriers;

/// <summary>How many connections should be ready: as many as flows were opened in the busiest second of late, within the limits. Not thread-safe.</summary>
internal sealed class ReadyDemand(CarrierLimits limits, TimeProvider time)
{
    /// <summary>The demand halves in so many seconds without opens: a page's next click finds connections, a night does not keep 64.</summary>
    private const double HalfLifeSeconds = 10;

    private double _peak;
    private long _peakAt = time.GetTimestamp();
    private int _opens;
    private long _secondBegan = time.GetTimestamp();

    internal int Target => Math.Clamp((int)Math.Ceiling(Math.Max(Peak, _opens)), limits.MinReady, limits.MaxReady);

    private double Peak => _peak * Math.Pow(0.5, time.GetElapsedTime(_peakAt).TotalSeconds / HalfLifeSeconds);

    internal void Opened()
    {
        Turn();
        _opens++;
    }

    /// <summary>To be called now and then, so that a burst ends.</summary>
    internal void Turn()
    {
        if (time.GetElapsedTime(_secondBegan) >= TimeSpan.FromSeconds(1))
        {
            if (_opens >= Peak)
            {
                _peak = _opens;
                _peakAt = time.GetTimestamp();
            }
            _opens = 0;
            _secondBegan = time.GetTimestamp();
        }
    }
}
