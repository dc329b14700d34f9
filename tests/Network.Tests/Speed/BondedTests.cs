using System.Diagnostics;
using System.Globalization;
using Aggregator.Cli;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Aggregator.Network.Tests.Scenarios;
using Aggregator.Protocol.V1;
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

    [SkippableTheory]
    [InlineData("trunk", false)]
    [InlineData("mptcp", false)]
    [InlineData("trunk", true)]
    [InlineData("mptcp", true)]
    public async Task The_default_test_ends_in_time_and_small_requests_stay_quick(string carrier, bool flowBeside)
    {
        Skip.If((carrier != "trunk" || flowBeside) && Environment.GetEnvironmentVariable("AGGREGATOR_SLOW_TESTS") != "1", "by hand: AGGREGATOR_SLOW_TESTS=1");
        await using Scene scene = await Scene.StartAsync(new ProductSettings { Carrier = carrier }, Wans);
        await using var beside = flowBeside ? RunningFlow.Start(scene) : null;
        double idleMs = At([.. (await RequestsAsync(scene, Task.Delay(TimeSpan.FromSeconds(4)))).Select(r => r.Ms)], 0.5);
        long began = Stopwatch.GetTimestamp();
        var phases = new PhaseLog();
        Task<SpeedResult> running = phases.RunAsync(scene.Product, new SpeedRequest());
        List<Request> requests = await RequestsAsync(scene, running);
        SpeedResult result = await running;
        TimeSpan took = Stopwatch.GetElapsedTime(began);
        output.WriteLine(JsonOutput.Format(result));
        double[] busy = [.. requests.Select(r => r.Ms)];
        double bound = (2 * idleMs) + 50;
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"took {took.TotalSeconds:0.0} s; requests idle {idleMs:0} ms; while it ran: median {At(busy, 0.5):0}, 90th {At(busy, 0.9):0}, 95th {At(busy, 0.95):0}, highest {At(busy, 1):0} ms; over the bound of {bound:0} ms {busy.Count(b => b > bound)} of {busy.Length}"));
        foreach (Request slow in requests.Where(r => r.Ms > bound))
        {
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {slow.Ms:0} ms after {Stopwatch.GetElapsedTime(began, slow.Began).TotalSeconds:0.0} s: {phases.Between(slow.Began, slow.Ended)}"));
        }

        foreach (var phase in requests.GroupBy(r => phases.Between(r.Began, r.Began)))
        {
            double[] all = [.. phase.Select(r => r.Ms)];
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {phase.Key}: {all.Length} requests, median {At(all, 0.5):0}, highest {At(all, 1):0} ms"));
        }

        output.WriteLine(phases.ToString());
        if (beside is not null)
        {
            output.WriteLine(beside.Told(began, phases));
            beside.LongestSilence(began).ShouldBeLessThan(TimeSpan.FromSeconds(3), "a running flow is not starved");
        }

        SpeedBonded bonded = result.Bonded;
        bonded.HasDownMbps.ShouldBeTrue();
        bonded.HasUpMbps.ShouldBeTrue();
        bonded.HasMptcpDownMbps.ShouldBeTrue();
        bonded.Subflows.Select(s => s.Link).Distinct().Count().ShouldBe(Wans.Length);
        bonded.Subflows.Sum(s => s.ShareDown).ShouldBe(1, 0.01);
        result.Verdict.ShouldNotBeNullOrEmpty();
        if (beside is null)
        {
            // Not asked of each one here, where other work may take the processor for a moment.
            At(busy, 0.9).ShouldBeLessThan(bound);
        }

        took.ShouldBeLessThan(TimeSpan.FromSeconds(45));
    }

    /// <summary>Small downloads through SOCKS, one after the other.</summary>
    private static async Task<List<Request>> RequestsAsync(Scene scene, Task until)
    {
        var requests = new List<Request>();
        while (!until.IsCompleted)
        {
            long began = Stopwatch.GetTimestamp();
            await scene.Curl.DownloadAsync(WayIn.SocksV4, requests.Count, 1000);
            requests.Add(new Request(began, Stopwatch.GetTimestamp()));
            await Task.Delay(Pause);
        }

        return requests;
    }

    private static double At(double[] values, double part) => values.Order().ElementAt((int)Math.Min(values.Length - 1, part * values.Length));

    private sealed record Request(long Began, long Ended)
    {
        internal double Ms => Stopwatch.GetElapsedTime(Began, Ended).TotalMilliseconds;
    }
}
