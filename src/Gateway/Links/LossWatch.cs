namespace Aggregator.Gateway.Links;

/// <summary>
/// Tells from what one WAN's connections send again and get out of order that the line loses much. A sign: a queue that overflows looks the same for a
/// moment, so probes count then. Knows no socket: it is told what each look saw. One user.
/// </summary>
internal sealed class LossWatch
{
    /// <summary>Told of again as long as it goes on.</summary>
    private static readonly TimeSpan Window = TimeSpan.FromMilliseconds(400);

    /// <summary>Fewer say nothing.</summary>
    private const long LeastSegments = 24;

    /// <summary>
    /// What TCP itself makes of a loss is more than the loss: what came behind it is out of order. A line that loses one of a hundred stays below this.
    /// </summary>
    private const double Much = 0.15;

    private TimeSpan _began;
    private long _segments;
    private long _amiss;

    /// <param name="now">Of a clock that only goes forward.</param>
    /// <returns>Whether to tell now.</returns>
    internal bool Look(TimeSpan now, long segments, long amiss)
    {
        (_segments, _amiss) = (_segments + segments, _amiss + amiss);
        if (now - _began < Window || _segments < LeastSegments)
        {
            return false;
        }

        bool much = _amiss >= _segments * Much;
        (_began, _segments, _amiss) = (now, 0, 0);
        return much;
    }
}
