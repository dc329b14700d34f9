namespace Aggregator.Benchmarks.Report;

/// <param name="Median">Of the rounds.</param>
internal sealed record Spread(double Median, double Min, double Max)
{
    internal static Spread Of(Series series) => new(series.Median, series.Minimum, series.Maximum);

    internal string Text(string format) => $"{Median.ToString(format)} ({Min.ToString(format)}–{Max.ToString(format)})";
}

/// <summary>One contestant in one direction with one number of streams.</summary>
/// <param name="CpuSecondsPerGbGateway">Null without a process there. A gigabyte is 10^9 bytes of the client's data.</param>
/// <param name="PeakBytesGateway">Resident memory (VmHWM) while it was measured; the highest round.</param>
internal sealed record RelayRow(
    string Contestant,
    bool IsOurs,
    string Direction,
    int Streams,
    bool Mptcp,
    Spread Mbps,
    double? CpuSecondsPerGbGateway,
    double? CpuSecondsPerGbVps,
    long? PeakBytesGateway,
    long? PeakBytesVps);

/// <summary>Ours over the rival: more than 1 is faster, or costs more.</summary>
internal sealed record RelayRatio(
    string Ours, string Rival, string Direction, int Streams, double Throughput, double? Cpu, double? Memory);

internal sealed record RelayReport(int Rounds, double WindowSeconds, IReadOnlyList<RelayRow> Rows, IReadOnlyList<RelayRatio> Ratios)
{
    internal static RelayReport Of(int rounds, double windowSeconds, IReadOnlyList<RelayRow> rows)
    {
        var ratios = new List<RelayRatio>();
        foreach (RelayRow ours in rows.Where(r => r.IsOurs))
        {
            foreach (RelayRow rival in rows.Where(r => !r.IsOurs && r.Direction == ours.Direction && r.Streams == ours.Streams))
            {
                ratios.Add(new RelayRatio(
                    ours.Contestant,
                    rival.Contestant,
                    ours.Direction,
                    ours.Streams,
                    ours.Mbps.Median / rival.Mbps.Median,
                    (ours.CpuSecondsPerGbGateway + ours.CpuSecondsPerGbVps) / (rival.CpuSecondsPerGbGateway + rival.CpuSecondsPerGbVps),
                    (double?)(ours.PeakBytesGateway + ours.PeakBytesVps) / (rival.PeakBytesGateway + rival.PeakBytesVps)));
            }
        }

        return new RelayReport(rounds, windowSeconds, rows, ratios);
    }
}
