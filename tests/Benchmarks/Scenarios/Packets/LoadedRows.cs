using Aggregator.Benchmarks.Networks;
using Aggregator.Benchmarks.Scenarios.Trunk;
using Aggregator.Lab.Topology;

namespace Aggregator.Benchmarks.Scenarios.Packets;

/// <summary>Datagrams over the four unequal lines: one flow that needs nearly all of them, and a call beside bulk.</summary>
internal static class LoadedRows
{
    private const int Payload = 1400;

    internal static TrunkRow Sum { get; } = new("sum", "UDP, 1,400 B, one flow up over four unequal lines at 85 % of their sum", ["nft"], SumAsync);

    internal static TrunkRow Call { get; } = new("call", "a call (50 packets/s, 160 B) beside bulk TCP up on the same lines; then with the best line black-holed", ["nft"], CallAsync);

    private static async Task<IReadOnlyList<TrunkFigure>> SumAsync(TrunkOptions options, CancellationToken cancellationToken)
    {
        LabSpec spec = TrunkLabs.Four;
        await using TrunkBench bench = await StartAsync(spec, options);
        var alone = await bench.EachAloneAsync(down: false, options.Seconds(8, 4), options.Progress, cancellationToken);
        double sum = alone.Values.Sum(), perSecond = 0.85 * sum * 1e6 / 8 / Payload;
        long[] before = [.. bench.Lab.Wans.Select(w => w.Up.Counters.BytesDelivered)];

        // What each line takes is learnt from what it carries.
        await DatagramProbe.RunAsync(bench.Lab, Payload, perSecond, options.Seconds(4));
        PacketLoad load = PacketLoad.Begin(bench.Product);
        DatagramResult result = await DatagramProbe.RunAsync(bench.Lab, Payload, perSecond, options.Seconds(15));
        options.Progress(await load.EndAsync());
        options.Progress($"out of order: {result.Disorder(12)}");
        options.Progress($"never came: {result.Missing(12)}");
        options.Progress("p90 of each half second: " + string.Join(" ", result.DelaysMs.Chunk(Math.Max(1, (int)(perSecond / 2))).Select(c => $"{TrunkBench.Percentile(c, 0.9):0}")));
        options.Progress(string.Join(", ", bench.Lab.Wans.Select((w, i) => $"{w.Name} carried {(w.Up.Counters.BytesDelivered - before[i]) / 1e6:0} MB")));

        // Used by the flow: more than reports and probes make.
        double all = bench.Lab.Wans.Select((w, i) => (double)(w.Up.Counters.BytesDelivered - before[i])).Sum();
        double slowest = spec.Wans.Where((w, i) => bench.Lab.Wans[i].Up.Counters.BytesDelivered - before[i] > 0.005 * all).Max(w => w.DelayMs);
        double inTime = result.DelaysMs.Count(d => d <= slowest + 50) / (double)Math.Max(1, result.Arrived);
        return
        [
            new TrunkFigure("sum", $"lost, of {result.Sent} at {perSecond * Payload * 8 / 1e6:0} Mbit/s (lines repeat what they lose)", $"{result.LostRatio:0.00%}", "≤ 0.5 %", result.LostRatio <= 0.005),
            new TrunkFigure("sum", "out of order", $"{result.OutOfOrder}", "0", result.OutOfOrder == 0),
            new TrunkFigure("sum", $"within {slowest + 50:0} ms (slowest used line + 50)", $"{inTime:0.0%}; p50 {TrunkBench.Percentile(result.DelaysMs, 0.5):0}, p99 {TrunkBench.Percentile(result.DelaysMs, 0.99):0} ms", "≥ 99 %", inTime >= 0.99),
        ];
    }

    private static async Task<IReadOnlyList<TrunkFigure>> CallAsync(TrunkOptions options, CancellationToken cancellationToken)
    {
        LabSpec spec = TrunkLabs.Four;
        await using TrunkBench bench = await StartAsync(spec, options);
        DatagramResult idle = await DatagramProbe.RunAsync(bench.Lab, 160, 50, options.Seconds(5));
        var bulk = bench.TraceAsync(down: false, options.Seconds(20, 10), cancellationToken);
        await Task.Delay(options.Seconds(4, 2), cancellationToken);
        PacketLoad load = PacketLoad.Begin(bench.Product);
        var queues = new LineQueues(bench.Lab);
        DatagramResult call = await DatagramProbe.RunAsync(bench.Lab, 160, 50, options.Seconds(12, 4));
        await queues.EndAsync();
        options.Progress(await load.EndAsync());
        options.Progress($"latest: {queues.Explain(call, 14)}");
        options.Progress($"queues above 15 ms: {queues.Longer(15)}");
        options.Progress($"bulk beside it: {(await bulk).SteadyMbps:0} Mbit/s");
        double best = spec.Wans.Min(w => w.DelayMs), p99 = TrunkBench.Percentile(call.DelaysMs, 0.99);

        var cut = DatagramProbe.RunAsync(bench.Lab, 160, 50, options.Seconds(8));
        await Task.Delay(options.Seconds(3), cancellationToken);
        bench.Lab.Wans[spec.Wans.MinBy(w => w.DelayMs)!.Name].BlackHole = true;
        DatagramResult hole = await cut;
        return
        [
            new TrunkFigure("call", "idle: p99 one way, ms; lost", $"{TrunkBench.Percentile(idle.DelaysMs, 0.99):0.0}; {idle.Sent - idle.Arrived} of {idle.Sent}", "", null),
            new TrunkFigure("call", "beside bulk: p99 one way, ms", $"{p99:0.0} (p50 {TrunkBench.Percentile(call.DelaysMs, 0.5):0.0})", $"≤ {best + 20:0}", p99 <= best + 20),
            new TrunkFigure("call", "beside bulk: lost", $"{call.Sent - call.Arrived} of {call.Sent}", "", null),
            new TrunkFigure("call", "best line black-holed: longest gap, ms", $"{hole.LongestGapMs:0} ({hole.Sent - hole.Arrived} of {hole.Sent} lost)", "≤ 300", hole.LongestGapMs <= 300),
        ];
    }

    private static async Task<TrunkBench> StartAsync(LabSpec spec, TrunkOptions options)
    {
        TrunkBench bench = await TrunkBench.StartAsync(spec, options);
        await bench.Product.WaitForStatusAsync(
            s => s.GetProperty("packets").GetProperty("state").GetString() == "on", "packets", TimeSpan.FromSeconds(30));
        return bench;
    }
}
