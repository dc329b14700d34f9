namespace Aggregator.Gateway.Links;

/// <summary>
/// Keeps a link that comes and goes out of use until it has held for a while: each outage adds to a penalty that halves with time, and beyond
/// a few the link must work without a break for longer each time (after RFC 2439). The first two outages cost nothing, and those after a time of good
/// service little: that the line serves again at once is worth more than what its next outage costs. Knows no clock: it is told.
/// </summary>
internal sealed class FlapDamper
{
    internal static readonly TimeSpan HalfLife = TimeSpan.FromSeconds(30);

    /// <summary>Two outages in a minute are bad luck, three are a habit.</summary>
    private const double Suppress = 2.5;

    /// <summary>Holds the longest time at eight seconds, and lets a line that was bad for an hour be forgiven in a minute.</summary>
    private const double MostPenalty = 5;

    /// <summary>An outage counts in full after no more service than this, a half after twice as much.</summary>
    private static readonly TimeSpan ShortService = TimeSpan.FromSeconds(3);

    private bool? _works;
    private double _penalty;
    private TimeSpan _penaltyAt;
    private TimeSpan _worksSince;
    private TimeSpan _hold;

    /// <summary>The next moment at which <see cref="Observe"/> may say something else by itself; null: none.</summary>
    internal TimeSpan? Release { get; private set; }

    /// <param name="now">Of a clock that only goes forward.</param>
    /// <param name="works">As the host and the probes show it.</param>
    /// <returns>How long it must hold before it is used; null: it may be used, or does not work.</returns>
    internal TimeSpan? Observe(TimeSpan now, bool works)
    {
        if (_works == true && !works)
        {
            _penalty = Math.Min(Decayed(now) + Math.Min(1, ShortService / (now - _worksSince)), MostPenalty);
            _penaltyAt = now;
        }
        else if (_works == false && works)
        {
            double penalty = Decayed(now);
            _worksSince = now;
            // Whole seconds: people read it.
            _hold = penalty < Suppress ? TimeSpan.Zero : TimeSpan.FromSeconds(Math.Round(Math.Pow(2, penalty - 2)));
        }

        _works = works;
        bool held = works && now - _worksSince < _hold;
        Release = held ? _worksSince + _hold : null;
        return held ? _hold : null;
    }

    private double Decayed(TimeSpan now) => _penalty * Math.Pow(0.5, (now - _penaltyAt) / HalfLife);
}
