namespace Aggregator.Trunk;

/// <summary>Bytes a second over the last full second, for status. Not safe for several threads.</summary>
internal sealed class RateMeter
{
    private const long PeriodUs = 1_000_000;

    private long _startUs;
    private long _bytes;
    private double _last;

    internal void Add(long bytes, long nowUs)
    {
        Roll(nowUs);
        _bytes += bytes;
    }

    internal double BytesPerSecond(long nowUs)
    {
        Roll(nowUs);
        return _last;
    }

    private void Roll(long nowUs)
    {
        long elapsed = nowUs - _startUs;
        if (elapsed < PeriodUs)
        {
            return;
        }

        _last = elapsed < 2 * PeriodUs ? _bytes * 1e6 / elapsed : 0;
        _startUs = nowUs;
        _bytes = 0;
    }
}
