namespace Aggregator.Speed;

/// <param name="Mbps">Mean over the window, in millions of bits a second.</param>
/// <param name="FromS">Where the window begins, on the series' clock.</param>
/// <param name="ToS">Where it ends.</param>
/// <param name="RelativeError">Half the width of the mean's 95 % confidence interval, as a part of the mean.</param>
/// <param name="IsSteady">Long enough, without a trend, and known well: measuring on would change little.</param>
internal readonly record struct SteadyRate(double Mbps, double FromS, double ToS, double RelativeError, bool IsSteady);

/// <summary>
/// Finds the part of a series that is free of the ramp-up, by the marginal standard error rule (White 1997: cut off so many first values that
/// the standard error of the mean of the rest is the least, and at most half), and the rate in it.
/// </summary>
internal static class SteadyState
{
    /// <summary>Long against the bursts in which acknowledgements and wake-ups let bytes come, short against a ramp-up.</summary>
    internal const double IntervalS = 0.1;

    /// <summary>Fewer intervals show no steady part.</summary>
    private const int LeastIntervals = 4;

    /// <summary>A steady part that is shorter may be a plateau of the ramp.</summary>
    private const double LeastWindowS = 1.0;

    private const double MostRelativeError = 0.012;

    /// <summary>Between the window's halves.</summary>
    private const double MostTrend = 0.015;

    private const double Normal95 = 1.96;

    private const double AsGood = 1.05;

    /// <summary>A thousandth of the mean, squared: below it differences are those of the arithmetic and the clock.</summary>
    private const double Nothing = 1e-6 / 100;

    /// <summary>Null: too short to say anything, or nothing came.</summary>
    /// <param name="fromS">What lies before is not looked at.</param>
    internal static SteadyRate? Of(RateSeries series, double fromS = double.NegativeInfinity)
    {
        if (series.Points.Count == 0)
        {
            return null;
        }

        double began = Math.Max(fromS, series.Points[0].TimeS);
        double[] rates = series.Intervals(began, IntervalS);
        if (rates.Length < LeastIntervals)
        {
            return null;
        }

        int cut = CutOf(rates);
        double from = began + (cut * IntervalS);
        double to = series.Points[^1].TimeS;
        if (series.Mbps(from, to) is not (> 0 and var mbps))
        {
            return null;
        }

        double error = RelativeErrorOf(rates.AsSpan(cut), mbps);
        double middle = (from + to) / 2;
        double trend = Math.Abs(series.Mbps(middle, to)!.Value - series.Mbps(from, middle)!.Value) / mbps;
        return new SteadyRate(mbps, from, to, error, to - from >= LeastWindowS && error <= MostRelativeError && trend <= MostTrend);
    }

    /// <summary>
    /// The best window of a series that had no time to become steady: on a way of many tenths of a second a sender finds its rate in a few round trips, loses what
    /// the queue did not hold, and needs as many to repair it; in between the line was full for at least one.
    /// </summary>
    /// <returns>Null: the series is shorter than the window.</returns>
    internal static SteadyRate? BestOf(RateSeries series, double fromS, double windowS)
    {
        SteadyRate? best = null;
        foreach (RateSeries.Point end in series.Points)
        {
            double from = end.TimeS - windowS;
            if (from >= fromS && series.Mbps(from, end.TimeS) is > 0 and var mbps && !(mbps <= best?.Mbps))
            {
                best = new SteadyRate(mbps, from, end.TimeS, double.NaN, IsSteady: false);
            }
        }

        return best;
    }

    /// <summary>How many of the first values belong to the ramp.</summary>
    internal static int CutOf(ReadOnlySpan<double> values)
    {
        double sum = 0;
        double squares = 0;
        double least = double.PositiveInfinity;
        var errors = new double[(values.Length / 2) + 1];
        // From the end, so that each cut's sums are those of the last one and a value more.
        for (int i = values.Length - 1; i >= 0; i--)
        {
            sum += values[i];
            squares += values[i] * values[i];
            int count = values.Length - i;
            if (i > values.Length / 2)
            {
                continue;
            }

            double deviations = Math.Max(0, squares - (sum * sum / count));
            errors[i] = deviations / ((double)count * count);
            least = Math.Min(least, errors[i]);
        }

        // The first that is as good as the best: where all is alike, nothing is left out.
        double mean = values.IsEmpty ? 0 : sum / values.Length;
        return Array.FindIndex(errors, e => e <= (least * AsGood) + (mean * mean * Nothing));
    }

    /// <summary>From batches of values, because neighbours are alike (an interval that lacks bytes is followed by one that has them).</summary>
    private static double RelativeErrorOf(ReadOnlySpan<double> values, double mean)
    {
        int batches = Math.Clamp(values.Length / 2, 1, 10);
        int size = values.Length / batches;
        if (batches < 2 || mean <= 0)
        {
            return double.PositiveInfinity;
        }

        double squares = 0;
        double total = 0;
        for (int b = 0; b < batches; b++)
        {
            double sum = 0;
            for (int i = 0; i < size; i++)
            {
                sum += values[(b * size) + i];
            }

            total += sum / size;
            squares += sum / size * (sum / size);
        }

        double variance = Math.Max(0, (squares - (total * total / batches)) / (batches - 1));
        return Normal95 * Math.Sqrt(variance / batches) / mean;
    }
}
