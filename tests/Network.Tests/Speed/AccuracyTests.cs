using System.Globalization;
using System.Text.Json;
using Aggregator.Lab.Topology;
using Aggregator.Network.Tests.Scenarios;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Aggregator.Network.Tests.Speed;

/// <summary>What the speed test says, against what the lab's lines are.</summary>
[Collection(ScenarioCollection.Name)]
public sealed class AccuracyTests(ITestOutputHelper output)
{
    /// <summary>Payload in a full packet of 1,500 bytes with TCP's time stamps; the lab's rates count IP packets.</summary>
    private const double PlainTcp = 1448.0 / 1500;

    private static readonly WanSpec[] Wans =
    [
        new("fibre") { DownMbps = 200, UpMbps = 20, DelayMs = 5 },
        new("dsl") { DownMbps = 50, UpMbps = 10, DelayMs = 20 },
        new("sat") { DownMbps = 20, UpMbps = 5, DelayMs = 75 },
    ];

    [SkippableFact]
    public async Task Rates_and_round_trips_are_those_of_the_lines()
    {
        await using Scene scene = await Scene.StartAsync(wans: Wans);
        long began = TimeProvider.System.GetTimestamp();
        JsonElement result = await scene.SpeedtestAsync("--no-bonded");
        TimeSpan took = TimeProvider.System.GetElapsedTime(began);
        var table = new ResultTable();
        foreach (WanSpec wan in Wans)
        {
            JsonElement link = result.Link(wan.Name);
            table.Add($"{wan.Name} down, Mbit/s", wan.DownMbps!.Value * PlainTcp, link.Number("down_mbps"), 0.03);
            table.Add($"{wan.Name} up, Mbit/s", wan.UpMbps!.Value * PlainTcp, link.Number("up_mbps"), 0.03);
            table.Add($"{wan.Name} idle round trip, ms", 2 * wan.DelayMs, link.Number("rtt_idle_ms"), 2 / (2 * wan.DelayMs));
            table.Add($"{wan.Name} loaded down, ms", Loaded(wan, wan.DownSettings), link.Number("rtt_loaded_down_ms"), 0.1);
            table.Add($"{wan.Name} loaded up, ms", Loaded(wan, wan.UpSettings), link.Number("rtt_loaded_up_ms"), 0.1);
            table.Note($"{wan.Name}: jitter {link.Number("jitter_ms"):0.00} ms, loss {link.Number("loss_ratio")}, retransmitted {link.Number("retransmit_ratio_down"):0.0000} down {link.Number("retransmit_ratio_up"):0.0000} up, streams {link.Number("streams_down")}/{link.Number("streams_up")}, {link.Text("error")}");
        }

        output.WriteLine(table.ToString());
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"took {took.TotalSeconds:0.0} s"));
        table.Misses.ShouldBeEmpty();
        took.ShouldBeLessThan(TimeSpan.FromSeconds(45));
    }

    private static double Loaded(WanSpec wan, Aggregator.Lab.Emulation.LinkSettings direction) =>
        (2 * wan.DelayMs) + (direction.EffectiveQueueBytes * 8e3 / direction.RateBitsPerSecond!.Value);
}
