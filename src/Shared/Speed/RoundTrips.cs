namespace Aggregator.Speed;

/// <summary>What a number of round trips, in the order in which they were asked for, says of a line. Milliseconds; null: not to be told.</summary>
internal static class RoundTrips
{
    /// <summary>So many probes in a row are no accident of one packet's.</summary>
    private const int Run = 5;

    internal static double? Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted.Length == 0
            ? null
            : sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[(sorted.Length / 2) - 1] + sorted[sorted.Length / 2]) / 2;
    }

    /// <summary>The mean change from one to the next (as RFC 3393 counts delay variation, unsigned).</summary>
    internal static double? Jitter(IReadOnlyList<double> values) =>
        values.Count < 2 ? null : Enumerable.Range(1, values.Count - 1).Average(i => Math.Abs(values[i] - values[i - 1]));

    /// <summary>
    /// The highest level at which it stood for some probes: the highest median of <see cref="Run"/> in a row. With a load that fills the queue
    /// and goes back, that is the round trip with a full one.
    /// </summary>
    internal static double? Peak(IReadOnlyList<double> values)
    {
        if (values.Count < Run)
        {
            return null;
        }

        return Enumerable.Range(0, values.Count - Run + 1).Max(i => Median(values.Skip(i).Take(Run))!.Value);
    }
}
