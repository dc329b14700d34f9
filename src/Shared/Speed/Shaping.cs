namespace Aggregator.Speed;

/// <summary>A rate that falls after a burst.</summary>
internal readonly record struct Burst(double Mbps, double Seconds, double Bytes, double AfterMbps);

/// <summary>Finds, in a series of rates, a lasting fall: what a provider's token bucket does when it is empty.</summary>
internal static class Shaping
{
    private const double IntervalS = 0.1;

    /// <summary>Less is a wandering rate.</summary>
    private const double LeastFall = 0.2;

    /// <summary>Of each part: shorter ones are a burst of a queue's making, or a dip.</summary>
    private const int LeastBurst = 4;

    private const int LeastAfter = 8;

    /// <summary>A slow line that lost a few segments stands still for as long.</summary>
    private const double LeastAfterBytes = 100_000;

    /// <summary>Spread within the parts against the fall between them.</summary>
    private const double MostSpread = 0.35;

    /// <summary>Null: no such fall.</summary>
    internal static Burst? Find(RateSeries series)
    {
        if (series.Points.Count == 0)
        {
            return null;
        }

        double began = series.Points[0].TimeS;
        double[] rates = series.Intervals(began, IntervalS);
        int ramp = RampOf(rates);
        (double Deviation, int At)? best = null;
        for (int at = ramp + LeastBurst; at <= rates.Length - LeastAfter; at++)
        {
            double deviation = Deviation(rates.AsSpan(ramp, at - ramp)) + Deviation(rates.AsSpan(at));
            if (best is not { } known || deviation < known.Deviation)
            {
                best = (deviation, at);
            }
        }

        if (best is not var (_, split))
        {
            return null;
        }

        double before = Mean(rates.AsSpan(ramp, split - ramp));
        double after = Mean(rates.AsSpan(split));
        double spread = Math.Sqrt(best.Value.Deviation / (rates.Length - ramp));
        // Lasting: its last third is no higher than the rest of it.
        double last = Mean(rates.AsSpan(rates.Length - ((rates.Length - split) / 3)));
        if (before <= 0 || before - after < LeastFall * before || spread > MostSpread * (before - after) || last - after > LeastFall / 2 * before)
        {
            return null;
        }

        if (after * 1e6 / 8 * (rates.Length - split) * IntervalS < LeastAfterBytes)
        {
            return null;
        }

        double burstEnds = began + (split * IntervalS);
        return new Burst(before, split * IntervalS, series.BytesAt(burstEnds) - series.BytesAt(began), after);
    }

    /// <summary>Up to the first interval near the highest rate.</summary>
    private static int RampOf(ReadOnlySpan<double> rates)
    {
        double high = 0;
        foreach (double rate in rates)
        {
            high = Math.Max(high, rate);
        }

        int at = 0;
        while (at < rates.Length && rates[at] < 0.7 * high)
        {
            at++;
        }

        return at;
    }

    private static double Mean(ReadOnlySpan<double> values)
    {
        double sum = 0;
        foreach (double value in values)
        {
            sum += value;
        }

        return values.IsEmpty ? 0 : sum / values.Length;
    }

    private static double Deviation(ReadOnlySpan<double> values)
    {
        double mean = Mean(values);
        double sum = 0;
        foreach (double value in values)
        {
            sum += (value - mean) * (value - mean);
        }

        return sum;
    }
}
