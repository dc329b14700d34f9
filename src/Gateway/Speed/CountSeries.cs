namespace Aggregator.Gateway.Speed;

/// <summary>Segments sent and sent again, over time, on the test's clock.</summary>
internal sealed class CountSeries
{
    private readonly List<(double TimeS, double Segments, double Retransmits)> _points = [];

    internal void Add(double timeS, double segments, double retransmits) => _points.Add((timeS, segments, retransmits));

    /// <summary>The part of the segments sent in that time that were sent again; null: none was sent.</summary>
    internal double? RatioBetween(double fromS, double toS) => Between(fromS, toS) is { Segments: > 0 } counts ? Math.Min(1, counts.Retransmits / counts.Segments) : null;

    internal (double Segments, double Retransmits)? Between(double fromS, double toS)
    {
        var first = _points.LastOrDefault(p => p.TimeS <= fromS, _points.FirstOrDefault());
        var last = _points.LastOrDefault(p => p.TimeS <= toS);
        return _points.Count > 1 && last.TimeS > first.TimeS ? (Math.Max(0, last.Segments - first.Segments), Math.Max(0, last.Retransmits - first.Retransmits)) : null;
    }
}
