namespace Aggregator.Lab.Emulation;

/// <summary>
/// Jitter as lines have it: the extra delay walks in straight lines between random points, evenly spread within ± the jitter and four jitters
/// apart in time, so that it changes by at most half a second a second and packets stay in order while their pace is bent.
/// </summary>
internal sealed class DelayWander(int seed)
{
    private const long ShortestLegNs = 20_000_000;

    private readonly Random _random = new(seed);
    private long _jitter;
    private long _from;
    private long _to;
    private long _start;
    private long _leg = ShortestLegNs;

    /// <summary>The extra delay in nanoseconds of a packet sent at <paramref name="time"/>, which never goes back.</summary>
    internal long At(long time, long jitterNs)
    {
        if (jitterNs == 0)
        {
            return 0;
        }

        if (jitterNs != _jitter)
        {
            _jitter = jitterNs;
            _leg = Math.Max(ShortestLegNs, 4 * jitterNs);
            _start = time;
            (_from, _to) = (Draw(), Draw());
        }

        if (time - _start >= _leg)
        {
            // After a silence of several legs the way in between does not matter.
            bool adjoining = time - _start < 2 * _leg;
            (_from, _to) = (adjoining ? _to : Draw(), Draw());
            _start += (time - _start) / _leg * _leg;
        }

        return _from + (long)((_to - _from) * ((double)(time - _start) / _leg));
    }

    private long Draw() => _random.NextInt64(-_jitter, _jitter + 1);
}
