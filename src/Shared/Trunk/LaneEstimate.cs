namespace Aggregator.Trunk;

/// <summary>
/// What a lane can do, from the kernel's figures and from when the peer's trunk acknowledged what was handed to it. Times in microseconds.
/// The kernel's congestion control decides how much goes through a lane; the rate here only says how long things take.
/// Not safe for several threads.
/// </summary>
internal sealed class LaneEstimate
{
    /// <summary>What a lane that never carried anything is taken for: ten segments a round trip (RFC 6928).</summary>
    private const double InitialWindowBytes = 10 * 1400;

    private const long DefaultRttUs = 50_000;

    /// <summary>Rates are smoothed over so many round trips, and over <see cref="MinSmoothingUs"/> at least: single samples jump by half.</summary>
    private const double SmoothingRtts = 2;

    private const long MinSmoothingUs = 60_000;

    /// <summary>
    /// How quickly lateness is believed (a part of the difference, for each late frame) and forgotten. Losses hold up a lane for a round trip
    /// each, many frames at once: a place in the stream that allows for it costs only memory, one that does not costs a second copy.
    /// </summary>
    private const double LatenessGain = 0.2;
    private const double LatenessMemoryUs = 4_000_000;

    /// <summary>
    /// How quickly a lane without anything under way is taken for quick again: it was left out because it was late, and nothing but carrying shows
    /// that it no longer is.
    /// </summary>
    private const double RestMemoryUs = 1_000_000;

    private LaneReading _reading;
    private bool _hasReading;
    private long _readAtUs;
    private long _writtenSinceReading;
    private long _progressAtUs;
    private bool _delayKnown;
    private double _delayUs;
    private double _deviationUs;
    private double _latenessUs;
    private long _acknowledgedAtUs;
    private long _restedAtUs;

    /// <summary>The last reading; the default where there was none.</summary>
    internal ref readonly LaneReading Reading => ref _reading;

    internal long ReadAtUs => _readAtUs;

    /// <summary>Bytes a second. Never 0.</summary>
    internal double RateBytesPerSecond { get; private set; } = InitialWindowBytes * 1e6 / DefaultRttUs;

    /// <summary>False: <see cref="RateBytesPerSecond"/> is only a guess from the initial window.</summary>
    internal bool IsRateKnown { get; private set; }

    internal double RttUs => _reading.Rtt > TimeSpan.Zero ? _reading.Rtt.TotalMicroseconds : DefaultRttUs;

    internal bool IsDelayKnown => _delayKnown;

    /// <summary>From the hand-over to the acknowledgement by the peer's trunk, without the wait in our kernel's queue.</summary>
    internal double DelayUs => _delayKnown ? _delayUs : RttUs;

    internal double DeviationUs => _delayKnown ? _deviationUs : RttUs / 2;

    /// <summary>What the slower part of the frames takes on top.</summary>
    internal double LatenessUs => _latenessUs;

    /// <summary>When the peer's TCP was last heard of; null where the kernel does not tell.</summary>
    internal long? HeardAtUs => _hasReading && _reading.SinceAcknowledgement is { } since ? _readAtUs - (long)since.TotalMicroseconds : null;

    /// <summary>When the peer's kernel last acknowledged something new, or when there was nothing to acknowledge.</summary>
    internal long KernelProgressAtUs => _progressAtUs;

    internal void Read(in LaneReading reading, long nowUs)
    {
        bool first = !_hasReading;
        long elapsed = first ? 0 : nowUs - _readAtUs;
        if (first || reading.AcknowledgedBytes != _reading.AcknowledgedBytes || reading.InFlightBytes == 0)
        {
            _progressAtUs = nowUs;
        }

        _hasReading = true;
        _reading = reading;
        _readAtUs = nowUs;
        _writtenSinceReading = 0;
        double sample = reading.DeliveryRateBytesPerSecond;
        if (sample <= 0)
        {
            if (!IsRateKnown)
            {
                RateBytesPerSecond = InitialWindowBytes * 1e6 / Math.Max(RttUs, 1000);
            }

            return;
        }

        bool busy = reading.UnsentBytes > 0 || reading.InFlightBytes * 4 > reading.CongestionWindowBytes * 3;
        if (!IsRateKnown)
        {
            IsRateKnown = true;
            RateBytesPerSecond = sample;
        }
        else if (sample > RateBytesPerSecond || busy)
        {
            // Idle lanes keep their rate: a small sample says only that there was little to deliver.
            double gain = Math.Min(1, elapsed / Math.Max(MinSmoothingUs, SmoothingRtts * RttUs));
            if (sample > 1.5 * RateBytesPerSecond)
            {
                // The start: it doubles each round trip.
                gain = Math.Min(1, 4 * gain);
            }

            RateBytesPerSecond += gain * (sample - RateBytesPerSecond);
        }
    }

    /// <summary>For lanes whose kernel tells nothing.</summary>
    internal void SetRate(double bytesPerSecond)
    {
        RateBytesPerSecond = bytesPerSecond;
        IsRateKnown = true;
    }

    internal void Written(int bytes) => _writtenSinceReading += bytes;

    /// <summary>Handed over and not on the wire, as far as known.</summary>
    internal double QueueBytes(long nowUs) =>
        Math.Max(0, _reading.UnsentBytes + _writtenSinceReading - (ServiceRateBytesPerSecond * Math.Max(0, nowUs - _readAtUs) / 1e6));

    /// <summary>
    /// A lane that carried only a little has shown only a little rate; what its window lets go in a round trip, or its pace, goes at once.
    /// </summary>
    internal double QueueUs(long nowUs) => QueueBytes(nowUs) * 1e6 / ServiceRateBytesPerSecond;

    private double ServiceRateBytesPerSecond =>
        Math.Max(RateBytesPerSecond, Math.Max(_reading.PacingRateBytesPerSecond, _reading.CongestionWindowBytes * 5e5 / RttUs));

    /// <summary>How long until something written now arrives, typically.</summary>
    internal double ArrivalUs(long nowUs) => QueueUs(nowUs) + DelayUs;

    /// <summary>A frame was acknowledged.</summary>
    /// <param name="tookUs">From the hand-over on.</param>
    /// <param name="queueUs">The wait in the kernel's queue that was expected then.</param>
    internal void Acknowledged(double tookUs, double queueUs, long nowUs)
    {
        double sample = Math.Max(0, tookUs - queueUs);
        if (!_delayKnown)
        {
            _delayKnown = true;
            _delayUs = sample;
            _deviationUs = sample / 4;
            return;
        }

        double error = sample - _delayUs;

        // RFC 6298's gains, over a few frames each; what comes quicker than thought is believed sooner than what comes late.
        _delayUs += error * (error < 0 ? 1.0 / 16 : 1.0 / 64);
        _deviationUs += (Math.Abs(error) - _deviationUs) / 32;
        _latenessUs *= Math.Exp(-Math.Max(0, nowUs - _acknowledgedAtUs) / LatenessMemoryUs);
        _acknowledgedAtUs = nowUs;
        if (error > _latenessUs)
        {
            _latenessUs += LatenessGain * (error - _latenessUs);
        }
    }

    /// <summary>Nothing is under way.</summary>
    internal void Rest(long nowUs)
    {
        double part = Math.Exp(-Math.Max(0, nowUs - Math.Max(_restedAtUs, _acknowledgedAtUs)) / RestMemoryUs);
        _restedAtUs = nowUs;
        if (_delayKnown && _delayUs > RttUs)
        {
            _delayUs = RttUs + ((_delayUs - RttUs) * part);
        }

        _latenessUs *= part;
    }
}
