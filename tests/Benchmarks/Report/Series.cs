namespace Aggregator.Benchmarks.Report;

/// <summary>Several measurements of one thing.</summary>
internal sealed class Series
{
    private readonly List<double> _values = [];

    internal void Add(double value) => _values.Add(value);

    internal int Count => _values.Count;

    /// <summary>NaN where nothing was measured.</summary>
    internal double Median
    {
        get
        {
            if (_values.Count == 0)
            {
                return double.NaN;
            }

            double[] sorted = [.. _values.Order()];
            int middle = sorted.Length / 2;
            return sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
        }
    }

    internal double Minimum => _values.Count == 0 ? double.NaN : _values.Min();

    internal double Maximum => _values.Count == 0 ? double.NaN : _values.Max();
}
