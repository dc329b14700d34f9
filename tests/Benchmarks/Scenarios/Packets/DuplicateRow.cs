using Aggregator.Benchmarks.Scenarios.Trunk;
using Aggregator.Lab.Topology;

namespace Aggregator.Benchmarks.Scenarios.Packets;

/// <summary>Copies of a call's packets over four lines that all lose some, then with the best of them silent (`realtime: duplicate`).</summary>
internal static class DuplicateRow
{
    private const int Payload = 160;

    /// <summary>Of both directions of every line.</summary>
    private const double Loss = 0.02;

    internal static TrunkRow Row { get; } = new("copies", "a call's packets twice and more (`realtime: duplicate`), 2 % loss on every line; then without loss and the best line black-holed", ["nft"], RunAsync);

    private static async Task<IReadOnlyList<TrunkFigure>> RunAsync(TrunkOptions options, CancellationToken cancellationToken)
    {
        options = options with { Settings = options.Settings with { GatewayMore = options.Settings.GatewayMore + "realtime: duplicate\n" } };
        WanSpec[] lines =
        [
            new("fibre") { DownMbps = 200, UpMbps = 200, DelayMs = 10 }, new("cable") { DownMbps = 50, UpMbps = 50, DelayMs = 20 },
            new("lte") { DownMbps = 30, UpMbps = 30, DelayMs = 30 }, new("dsl") { DownMbps = 20, UpMbps = 20, DelayMs = 40 },
        ];
        await using TrunkBench bench = await TrunkBench.StartAsync(new LabSpec { Wans = lines }, options);
        await bench.Product.WaitForStatusAsync(
            s => s.GetProperty("packets").GetProperty("datagrams").GetProperty("lanes").EnumerateArray().Count(l => l.GetProperty("state").GetString() == "up") == lines.Length,
            "datagram lanes", TimeSpan.FromSeconds(30));

        // The pace is what makes it a call: known after some packets.
        await DatagramProbe.RunAsync(bench.Lab, Payload, 100, options.Seconds(2));
        foreach (LabWan wan in bench.Lab.Wans)
        {
            wan.SetBoth(s => s with { LossRatio = Loss });
        }

        DatagramResult lossy = await DatagramProbe.RunAsync(bench.Lab, Payload, 100, options.Seconds(40));
        foreach (LabWan wan in bench.Lab.Wans)
        {
            wan.SetBoth(s => s with { LossRatio = 0 });
        }

        var cut = DatagramProbe.RunAsync(bench.Lab, Payload, 50, options.Seconds(8));
        await Task.Delay(options.Seconds(4), cancellationToken);
        bench.Lab.Wans["fibre"].BlackHole = true;
        DatagramResult hole = await cut;
        int lost = hole.Sent - hole.Arrived;
        return
        [
            new TrunkFigure("copies", $"2 % loss on every line: lost of {lossy.Sent}", $"{lossy.LostRatio:0.000%} ({lossy.Sent - lossy.Arrived}; {lossy.Doubled} came twice)", "≤ 0.1 %", lossy.LostRatio <= 0.001),
            new TrunkFigure("copies", $"best line black-holed: lost of {hole.Sent}; longest gap, ms", $"{lost}; {hole.LongestGapMs:0}", "≤ 3 lost", lost <= 3),
        ];
    }
}
