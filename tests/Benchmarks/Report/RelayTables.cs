using Spectre.Console;

namespace Aggregator.Benchmarks.Report;

internal static class RelayTables
{
    private const string None = "–";

    internal static void Write(IAnsiConsole console, RelayReport report)
    {
        Table rows = new Table().Title($"Relay over two hops, unshaped; {report.Rounds} rounds of {report.WindowSeconds:0.#} s, taken in turn").Border(TableBorder.Rounded);
        rows.AddColumns("contestant", "way", "streams", "MPTCP", "Gbit/s, median (min–max)", "CPU s/GB\ngateway", "CPU s/GB\nVPS", "peak MB\ngateway", "peak MB\nVPS");
        foreach (IGrouping<(string, int), RelayRow> group in report.Rows.GroupBy(r => (r.Direction, r.Streams)))
        {
            foreach (RelayRow row in group)
            {
                rows.AddRow(
                    new Text(row.Contestant),
                    new Text(row.Direction),
                    new Text(row.Streams.ToString()),
                    new Text(row.Mptcp ? "yes" : "no"),
                    new Text(new Spread(row.Mbps.Median / 1000, row.Mbps.Min / 1000, row.Mbps.Max / 1000).Text("0.00")),
                    new Text(Number(row.CpuSecondsPerGbGateway, "0.00")),
                    new Text(Number(row.CpuSecondsPerGbVps, "0.00")),
                    new Text(Number(row.PeakBytesGateway / 1e6, "0.0")),
                    new Text(Number(row.PeakBytesVps / 1e6, "0.0")));
            }

            rows.AddEmptyRow();
        }

        console.Write(rows);
        if (report.Ratios.Count == 0)
        {
            return;
        }

        Table ratios = new Table().Title("Ours / rival (throughput: above 1 is ahead; CPU and memory: below 1 is cheaper)").Border(TableBorder.Rounded);
        ratios.AddColumns("ours", "rival", "way", "streams", "throughput", "CPU a byte", "peak memory");
        foreach (RelayRatio ratio in report.Ratios)
        {
            ratios.AddRow(
                new Text(ratio.Ours),
                new Text(ratio.Rival),
                new Text(ratio.Direction),
                new Text(ratio.Streams.ToString()),
                new Text(ratio.Throughput.ToString("0.00")),
                new Text(Number(ratio.Cpu, "0.00")),
                new Text(Number(ratio.Memory, "0.00")));
        }

        console.Write(ratios);
    }

    private static string Number(double? value, string format) => value?.ToString(format) ?? None;
}
