using Aggregator.Benchmarks.Contestants;
using Aggregator.Benchmarks.Load;
using Aggregator.Benchmarks.Networks;
using Aggregator.Lab.Topology;

namespace Aggregator.Benchmarks.Scenarios.Trunk;

/// <summary>One stream over the four lines, each way: of the sum of what each carries alone in the same run, how evenly, how soon, with how much memory, and beside kernel MPTCP.</summary>
internal static class FourLinksRow
{
    internal static TrunkRow Row { get; } = new(
        "four", "one stream over four unequal lines, down and up", ["mptcpize"], RunAsync);

    private static async Task<IReadOnlyList<TrunkFigure>> RunAsync(TrunkOptions options, CancellationToken cancellationToken)
    {
        var figures = new List<TrunkFigure>();
        LabSpec spec = TrunkLabs.Four;
        await using TrunkBench bench = await TrunkBench.StartAsync(spec, options);
        foreach (bool down in (bool[])[true, false])
        {
            string way = down ? "down" : "up";
            var alone = await bench.EachAloneAsync(down, options.Seconds(12, 8), options.Progress, cancellationToken);
            double sum = alone.Values.Sum();

            // Warm: the lanes have carried once together.
            await bench.TraceAsync(down, options.Seconds(4), cancellationToken);
            await Task.Delay(TimeSpan.FromSeconds(2), cancellationToken);
            await bench.ReorderPeakMbAsync(down);
            TraceResult all = await bench.TraceAsync(down, options.Seconds(20, 4), cancellationToken);
            double? reorder = await bench.ReorderPeakMbAsync(down);
            options.Progress($"{way}, together by 100 ms, Mbit/s: {string.Join(' ', all.Bins.Select(b => (b * 8 / 1e5).ToString("0")))}");

            double ratio = all.SteadyMbps / sum, first = all.FirstSecondMbps / sum;
            figures.Add(new TrunkFigure("four", $"{way}: together / sum of each alone", $"{all.SteadyMbps:0.0} / {sum:0.0} = {ratio:0.000}", "≥ 0.95", ratio >= 0.95));
            figures.Add(new TrunkFigure("four", $"{way}: reorder memory at the receiver, MB", reorder is { } mb ? $"{mb:0.0}" : "not told", "≤ 24", reorder <= 24));
            figures.Add(new TrunkFigure("four", $"{way}: lowest 100 ms after the first second / mean", $"{all.LowestBin:0.00}", "≥ 0.50", all.LowestBin >= 0.5));
            figures.Add(new TrunkFigure("four", $"{way}: first second / sum", $"{all.FirstSecondMbps:0.0} = {first:0.00}", "≥ 0.80", first >= 0.8));

            double kernel = await KernelAsync(spec, down, options.Seconds(20, 4), cancellationToken);
            figures.Add(new TrunkFigure("four", $"{way}: trunk / kernel MPTCP", $"{all.SteadyMbps:0.0} / {kernel:0.0} = {all.SteadyMbps / kernel:0.00}", "≥ 1.3", all.SteadyMbps >= 1.3 * kernel));
        }

        return figures;
    }

    /// <summary>One kernel MPTCP connection over the same lines, gateway to VPS, without a relay.</summary>
    private static async Task<double> KernelAsync(LabSpec spec, bool down, TimeSpan length, CancellationToken cancellationToken)
    {
        await using NetworkLab lab = await NetworkLab.CreateAsync(spec);
        await RivalMptcp.PrepareAsync(lab);
        string[] server = ["mptcpize", "run", .. Generator.Command("server", $"0.0.0.0:{TrunkBench.Text(Contestant.LoadPort)}")];
        lab.Vps.Start(server[0], server[1..]);
        await lab.Vps.WaitForListenerAsync(Contestant.LoadPort);
        return (await TrunkBench.TraceAsync(lab.Gateway, LabAddresses.Vps, null, down, length, true, cancellationToken)).SteadyMbps;
    }
}
