namespace Aggregator.Speed;

/// <summary>A growing count of bytes, read again and again. Times are seconds of one steady clock and never run backwards.</summary>
internal sealed class RateSeries
{
    private readonly List<Point> _points = [];

    internal readonly record struct Point(double TimeS, double Bytes);

    internal IReadOnlyList<Point> Points => _points;

    internal double DurationS => _points.Count < 2 ? 0 : _points[^1].TimeS - _points[0].TimeS;

    /// <summary>A reading that is older than the last one is left out; a count that fell (a connection gone) stays where it was.</summary>
    internal void Add(double timeS, double bytes)
    {
        if (_points.Count > 0 && timeS <= _points[^1].TimeS)
        {
            return;
        }

        _points.Add(new Point(timeS, _points.Count > 0 ? Math.Max(bytes, _points[^1].Bytes) : bytes));
    }

    /// <summary>Bytes at a time between two readings, as if they came evenly there; at the ends those of the first and last.</summary>
    internal double BytesAt(double timeS)
    {
        int after = FirstAfter(timeS);
        if (after == 0 || after == _points.Count)
        {
            return _points.Count == 0 ? 0 : _points[after == 0 ? 0 : ^1].Bytes;
        }

        Point a = _points[after - 1];
        Point b = _points[after];
        return a.Bytes + ((b.Bytes - a.Bytes) * (timeS - a.TimeS) / (b.TimeS - a.TimeS));
    }

    /// <summary>Millions of bits a second; null: no time between the two.</summary>
    internal double? Mbps(double fromS, double toS) => toS > fromS ? (BytesAt(toS) - BytesAt(fromS)) * 8 / 1e6 / (toS - fromS) : null;

    /// <summary>
    /// Millions of bits a second of a count that stands still while something is missing and then jumps: between the moments, one near either end, at which
    /// it had caught up most with its own mean. What waited at the ends would else be counted or missed by accident.
    /// </summary>
    /// <returns>Null: no time between the two, or no readings there.</returns>
    internal double? CaughtUpMbps(double fromS, double toS)
    {
        if (Mbps(fromS, toS) is not { } mean)
        {
            return null;
        }

        double third = (toS - fromS) / 3;
        double Ahead(Point point) => point.Bytes - (mean * 1e6 / 8 * point.TimeS);
        Point[] first = [.. _points.Where(p => p.TimeS >= fromS && p.TimeS <= fromS + third)];
        Point[] last = [.. _points.Where(p => p.TimeS >= toS - third && p.TimeS <= toS)];
        return first.Length == 0 || last.Length == 0 ? mean : Mbps(first.MaxBy(Ahead).TimeS, last.MaxBy(Ahead).TimeS);
    }

    /// <summary>Of the last <paramref name="seconds"/>; null before there is as much.</summary>
    internal double? LatestMbps(double seconds) =>
        DurationS >= seconds ? Mbps(_points[^1].TimeS - seconds, _points[^1].TimeS) : null;

    /// <summary>The rates of intervals of one length, from <paramref name="fromS"/> on; what is left at the end is not in it.</summary>
    internal double[] Intervals(double fromS, double seconds)
    {
        int count = _points.Count == 0 ? 0 : Math.Max(0, (int)Math.Floor(((_points[^1].TimeS - fromS) / seconds) + 1e-9));
        var rates = new double[count];
        for (int i = 0; i < count; i++)
        {
            double from = fromS + (i * seconds);
            rates[i] = Mbps(from, from + seconds) ?? 0;
        }

        return rates;
    }

    private int FirstAfter(double timeS)
    {
        int low = 0;
        int high = _points.Count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (_points[middle].TimeS > timeS)
            {
                high = middle;
            }
            else
            {
                low = middle + 1;
            }
        }

        return low;
    }
}
