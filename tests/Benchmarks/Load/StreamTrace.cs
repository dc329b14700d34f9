using System.Diagnostics;

namespace Aggregator.Benchmarks.Load;

/// <param name="AtMs">From the first byte to the gap's begin.</param>
internal sealed record TraceGap(double AtMs, double LengthMs);

/// <summary>What one reader saw of one stream.</summary>
/// <param name="FirstByteAt">On this machine's monotonic clock, in ms; the same for all its processes.</param>
/// <param name="BinMs">Length of a bin.</param>
/// <param name="Bins">Bytes read in each bin, counted from the first byte; only whole ones.</param>
/// <param name="Gaps">The longest times between two reads, the longest first.</param>
internal sealed record TraceResult(double FirstByteAt, int BinMs, IReadOnlyList<long> Bins, IReadOnlyList<TraceGap> Gaps, long TotalBytes)
{
    internal double Mbps(int firstBin, int count) => Bins.Skip(firstBin).Take(count).Sum() * 8 / 1e3 / BinMs / Math.Max(1, Math.Min(count, Bins.Count - firstBin));

    /// <summary>Without the first second.</summary>
    internal double SteadyMbps => Mbps(1000 / BinMs, int.MaxValue);

    internal double FirstSecondMbps => Mbps(0, 1000 / BinMs);

    /// <summary>The lowest bin after the first second over their mean.</summary>
    internal double LowestBin
    {
        get
        {
            long[] steady = [.. Bins.Skip(1000 / BinMs)];
            return steady.Length == 0 ? double.NaN : steady.Min() / steady.Average();
        }
    }

    /// <summary>The longest gap that reached beyond a moment of the monotonic clock.</summary>
    internal double LongestGapAfter(double momentMs) =>
        Gaps.Where(g => FirstByteAt + g.AtMs + g.LengthMs > momentMs).Select(g => g.LengthMs).DefaultIfEmpty(0).Max();
}

/// <summary>Writes down when a stream's bytes came. One thread.</summary>
internal sealed class StreamTrace(int binMs, TimeSpan length)
{
    private const int MostGaps = 16;

    /// <summary>Shorter ones are everyday.</summary>
    private const double LeastGapMs = 5;

    private readonly long[] _bins = new long[(int)(length.TotalMilliseconds / binMs)];
    private readonly List<TraceGap> _gaps = [];
    private long _first;
    private long _last;
    private long _total;

    internal bool IsOver { get; private set; }

    /// <summary>Milliseconds on the clock of <see cref="TraceResult.FirstByteAt"/>.</summary>
    internal static double Now => Stopwatch.GetTimestamp() * 1000.0 / Stopwatch.Frequency;

    internal void Add(int bytes)
    {
        long now = Stopwatch.GetTimestamp();
        if (_first == 0)
        {
            _first = _last = now;
        }

        double gap = Stopwatch.GetElapsedTime(_last, now).TotalMilliseconds;
        if (gap >= LeastGapMs)
        {
            _gaps.Add(new TraceGap(Stopwatch.GetElapsedTime(_first, _last).TotalMilliseconds, gap));
            if (_gaps.Count > 4 * MostGaps)
            {
                Shorten();
            }
        }

        _last = now;
        _total += bytes;
        int bin = (int)(Stopwatch.GetElapsedTime(_first, now).TotalMilliseconds / binMs);
        if (bin < _bins.Length)
        {
            _bins[bin] += bytes;
        }
        else
        {
            IsOver = true;
        }
    }

    internal TraceResult ToResult()
    {
        Shorten();
        return new TraceResult(_first * 1000.0 / Stopwatch.Frequency, binMs, _bins, _gaps, _total);
    }

    private void Shorten()
    {
        _gaps.Sort((a, b) => b.LengthMs.CompareTo(a.LengthMs));
        _gaps.RemoveRange(Math.Min(MostGaps, _gaps.Count), Math.Max(0, _gaps.Count - MostGaps));
    }
}
