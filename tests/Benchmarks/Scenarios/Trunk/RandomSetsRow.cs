using Aggregator.Benchmarks.Load;
using Aggregator.Benchmarks.Networks;
using Aggregator.Lab.Topology;

namespace Aggregator.Benchmarks.Scenarios.Trunk;

/// <summary>Random sets of lines: never below the best of them alone, and near the sum of all.</summary>
internal static class RandomSetsRow
{
    internal static TrunkRow Row { get; } = new("sets", "random sets of 2 to 6 lines", [], RunAsync);

    private static async Task<IReadOnlyList<TrunkFigure>> RunAsync(TrunkOptions options, CancellationToken cancellationToken)
    {
        var ofSum = new List<double>();
        var ofBest = new List<double>();
        int failed = 0;
        for (int i = 0; i < options.Sets; i++)
        {
            LabSpec spec = TrunkLabs.Random(options.Seed + i);
            bool down = (options.Seed + i) % 2 == 0;
            try
            {
                await using TrunkBench bench = await TrunkBench.StartAsync(spec, options);
                var alone = await bench.EachAloneAsync(down, options.Seconds(6, 4), options.Progress, cancellationToken);
                TraceResult all = await bench.TraceAsync(down, options.Seconds(10, 5), cancellationToken);

                // The second half, as of each line alone: the lanes are new, for the others were switched off meanwhile.
                double together = all.Mbps(all.Bins.Count / 2, int.MaxValue);
                ofSum.Add(together / alone.Values.Sum());
                ofBest.Add(together / alone.Values.Max());
                options.Progress($"set {options.Seed + i} {(down ? "down" : "up")} [{TrunkLabs.Describe(spec)}]: {together:0.0} of {alone.Values.Sum():0.0} = {ofSum[^1]:0.000}; of the best alone {ofBest[^1]:0.000}; from the first second on {all.SteadyMbps:0.0}");
            }
            catch (Exception e) when (e is IOException or TimeoutException)
            {
                failed++;
                options.Progress($"set {options.Seed + i} [{TrunkLabs.Describe(spec)}] was not measured: {e.Message}");
            }
        }

        if (ofSum.Count == 0)
        {
            throw new IOException("no set was measured");
        }

        double worst = ofBest.Min(), median = TrunkBench.Median(ofSum);
        return
        [
            new TrunkFigure("sets", $"sets that could not be measured, of {options.Sets}", $"{failed}", "0", failed == 0),
            new TrunkFigure("sets", $"{ofBest.Count} sets: lowest, together / best line alone", $"{worst:0.000}", "≥ 0.98", worst >= 0.98),
            new TrunkFigure("sets", $"{ofSum.Count} sets: median, together / sum (lowest {ofSum.Min():0.000})", $"{median:0.000}", "≥ 0.93", median >= 0.93),
        ];
    }
}
