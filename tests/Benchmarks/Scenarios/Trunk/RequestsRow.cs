using Aggregator.Benchmarks.Networks;

namespace Aggregator.Benchmarks.Scenarios.Trunk;

/// <summary>A request of 1 KB on a new stream, idle and while bulk saturates all lines, each way.</summary>
internal static class RequestsRow
{
    internal static TrunkRow Row { get; } = new("requests", "requests of 1 KB beside bulk on all lines", [], RunAsync);

    private static async Task<IReadOnlyList<TrunkFigure>> RunAsync(TrunkOptions options, CancellationToken cancellationToken)
    {
        var figures = new List<TrunkFigure>();
        await using TrunkBench bench = await TrunkBench.StartAsync(TrunkLabs.Four, options);
        int count = options.Times(100, 20);
        await bench.RequestsAsync(5, cancellationToken);
        double[] idle = await bench.RequestsAsync(count, cancellationToken);
        double idleMedian = TrunkBench.Median(idle), idleP95 = TrunkBench.Percentile(idle, 0.95);
        options.Progress($"idle: median {idleMedian:0.0} ms, 95 % {idleP95:0.0} ms");
        figures.Add(new TrunkFigure("requests", "idle: median, p95 ms", $"{idleMedian:0.0}, {idleP95:0.0}", "", null));
        foreach (bool down in (bool[])[true, false])
        {
            // A request takes its own time and a pause of 50 ms.
            TimeSpan length = TimeSpan.FromSeconds(4 + (count * 0.25));
            var bulk = bench.TraceAsync(down, length, cancellationToken);
            await Task.Delay(TimeSpan.FromSeconds(3), cancellationToken);
            double[] loaded = await bench.RequestsAsync(count, cancellationToken);
            bool beside = !bulk.IsCompleted;
            double mbps = (await bulk).SteadyMbps;
            double p95 = TrunkBench.Percentile(loaded, 0.95), limit = (1.5 * idleMedian) + 20;
            string way = down ? "down" : "up";
            options.Progress($"bulk {way} at {mbps:0} Mbit/s: median {TrunkBench.Median(loaded):0.0} ms, 95 % {p95:0.0} ms");
            figures.Add(new TrunkFigure(
                "requests",
                $"bulk {way} at {mbps:0} Mbit/s{(beside ? "" : ", which ended before")}: median, p95 ms",
                $"{TrunkBench.Median(loaded):0.0}, {p95:0.0}",
                $"p95 ≤ {limit:0.0}",
                p95 <= limit));
        }

        return figures;
    }
}
