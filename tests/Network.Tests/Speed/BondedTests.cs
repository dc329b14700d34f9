using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Aggregator.Lab.Topology;
using Aggregator.Network.Tests.Scenarios;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Aggregator.Network.Tests.Speed;

/// <summary>The whole default test of three links: in time, with all links together, and without starving what runs beside it.</summary>
[Collection(ScenarioCollection.Name)]
public sealed class BondedTests(ITestOutputHelper output)
{
    private static readonly WanSpec[] Wans =
    [
        new("fibre") { DownMbps = 200, UpMbps = 20, DelayMs = 5 },
        new("dsl") { DownMbps = 50, UpMbps = 10, DelayMs = 20 },
        new("sat") { DownMbps = 20, UpMbps = 5, DelayMs = 75 },
    ];

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(150);

    [SkippableFact]
    public async Task The_default_test_ends_in_time_and_small_requests_stay_quick()
    {
        await using Scene scene = await Scene.StartAsync(wans: Wans);
        double[] idle = await RequestsAsync(scene, Task.Delay(TimeSpan.FromSeconds(4)));
        long began = Stopwatch.GetTimestamp();
        Task<JsonElement> running = scene.SpeedtestAsync();
        double[] busy = await RequestsAsync(scene, running);
        JsonElement result = await running;
        TimeSpan took = Stopwatch.GetElapsedTime(began);
        output.WriteLine(result.GetRawText());
        double idleMs = At(idle, 0.5);
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"took {took.TotalSeconds:0.0} s; requests idle {idleMs:0} ms; while it ran: median {At(busy, 0.5):0}, 90th {At(busy, 0.9):0}, 95th {At(busy, 0.95):0}, highest {At(busy, 1):0} ms; over the bound {busy.Count(b => b > (2 * idleMs) + 50)} of {busy.Length}"));

        JsonElement bonded = result.GetProperty("bonded");
        bonded.Number("down_mbps").ShouldNotBeNull();
        bonded.Number("up_mbps").ShouldNotBeNull();
        bonded.Number("mptcp_down_mbps").ShouldNotBeNull();
        bonded.GetProperty("subflows").EnumerateArray().Select(s => s.Text("link")).Distinct().Count().ShouldBe(Wans.Length);
        bonded.GetProperty("subflows").EnumerateArray().Sum(s => s.Number("share_down") ?? 0).ShouldBe(1, 0.01);
        result.Text("verdict").ShouldNotBeNullOrEmpty();
        At(busy, 0.5).ShouldBeLessThan((2 * idleMs) + 50);
        took.ShouldBeLessThan(TimeSpan.FromSeconds(45));
    }

    /// <summary>Small downloads through SOCKS, one after the other.</summary>
    private static async Task<double[]> RequestsAsync(Scene scene, Task until)
    {
        var times = new List<double>();
        while (!until.IsCompleted)
        {
            long began = Stopwatch.GetTimestamp();
            await scene.Curl.DownloadAsync(WayIn.SocksV4, times.Count, 1000);
            times.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
            await Task.Delay(Pause);
        }

        return [.. times.Order()];
    }

    private static double At(double[] sorted, double part) => sorted[(int)Math.Min(sorted.Length - 1, part * sorted.Length)];
}
