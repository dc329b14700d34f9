using System.Text.Json;
using Aggregator.Cli;
using Aggregator.Lab.Emulation;
using Aggregator.Lab.Product;
using Aggregator.Network.Tests.Scenarios;
using Aggregator.Protocol.V1;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Aggregator.Network.Tests.Speed;

/// <summary>Bottlenecks that the lab can have, each named by the verdict.</summary>
[Collection(ScenarioCollection.Name)]
public sealed class BottleneckTests(ITestOutputHelper output)
{
    private const double PlainTcp = 1448.0 / 1500;

    [SkippableFact]
    public async Task A_link_that_lowers_the_total_is_named_with_both_figures()
    {
        // How much it lowers the total depends on where its segments fall, and on whether its probes call it impaired (then it is a backup already).
        Skip.IfNot(Environment.GetEnvironmentVariable("AGGREGATOR_SLOW_TESTS") == "1", "by hand: AGGREGATOR_SLOW_TESTS=1");
        // The kernel's scheduler puts segments on it that all the others then wait for.
        await using Scene scene = await Scene.StartAsync(
            new ProductSettings { Carrier = "mptcp" },
            [new("fast") { DownMbps = 50, UpMbps = 20, DelayMs = 5 }, new("slow") { DownMbps = 2, UpMbps = 2, DelayMs = 200 }]);
        JsonElement result = await scene.SpeedtestAsync("--down");
        JsonElement bonded = result.GetProperty("bonded");
        output.WriteLine(bonded.GetRawText());
        JsonElement without = bonded.GetProperty("without");
        without.Text("link").ShouldBe("slow");
        without.Text("direction").ShouldBe("down");
        double with = without.Number("with_mbps")!.Value, alone = without.Number("without_mbps")!.Value;
        with.ShouldBe(bonded.Number("down_mbps")!.Value);
        alone.ShouldBeGreaterThan(with * 1.05);
        result.Text("verdict")!.ShouldStartWith("slow lowers the total: ");
        result.Text("verdict")!.ShouldContain(" Mbit/s down with it, ");

        // Afterwards it is what it was.
        await scene.Product.WaitForStatusAsync(s => s.Link("slow").Text("role") == "active", "the role as before", TimeSpan.FromSeconds(20));
        (await scene.Lab.Gateway.OutputAsync("ip", "mptcp", "endpoint")).ShouldNotContain("backup");
    }

    [SkippableFact]
    public async Task A_processor_is_told_from_the_lines()
    {
        await using CpuCgroup vps = await CpuCgroup.CreateAsync(), gateway = await CpuCgroup.CreateAsync();
        await using Scene scene = await Scene.StartAsync(
            new ProductSettings { VpsLauncher = vps.Launcher, GatewayLauncher = gateway.Launcher },
            [new("one") { DownMbps = 100, UpMbps = 100, DelayMs = 40 }, new("two") { DownMbps = 100, UpMbps = 100, DelayMs = 40 }]);

        // Little enough that it is the limit on any machine, and only when all has started.
        await vps.LimitAsync(Few);
        (await VerdictAsync(scene, "--down")).ShouldMatch(@"^The VPS's processor is the limit \(\d+ % of the 0\.04 processors that its cgroup may use\)");
        JsonElement health = await HealthAsync(scene);
        health.Number("cpu_limit").ShouldBe(Few);
        await vps.LimitAsync(null);

        await gateway.LimitAsync(Fewer);
        (await VerdictAsync(scene, "--up")).ShouldMatch(@"^The gateway's processor is the limit \(\d+ % of the 0\.02 processors that its cgroup may use\)");
    }

    [SkippableFact]
    public async Task A_small_send_buffer_is_told_from_the_lines()
    {
        await using Scene scene = await Scene.StartAsync(new ProductSettings(), [new("one") { DownMbps = 100, UpMbps = 100, DelayMs = 40 }]);

        // While the daemon runs: what it set itself at its start is gone, as with another program's settings.
        await scene.Lab.Vps.OutputAsync("sysctl", "-w", "net.ipv4.tcp_wmem=4096 8192 8192");
        (await VerdictAsync(scene, "--down")).ShouldStartWith("The send buffer of the VPS is the limit");
    }

    private const double Few = 0.04;

    /// <summary>What the gateway sends costs it less.</summary>
    private const double Fewer = 0.02;

    private async Task<string> VerdictAsync(Scene scene, string direction)
    {
        JsonElement result = await scene.SpeedtestAsync(direction, "--duration", "2s", "--no-bonded");
        output.WriteLine(result.GetRawText());
        return result.Text("verdict")!;
    }

    private static async Task<JsonElement> HealthAsync(Scene scene)
    {
        using JsonDocument health = JsonDocument.Parse((await scene.Product.VpsCommandAsync("health", "--json")).OutputOrThrow());
        return health.RootElement.Clone();
    }

    [SkippableFact]
    public async Task A_rate_that_falls_after_a_burst_is_shaping()
    {
        await using Scene scene = await Scene.StartAsync(wans:
        [
            new("plain") { DownMbps = 30, UpMbps = 10, DelayMs = 5 },
            new("shaped")
            {
                Down = new LinkSettings { RateMbps = 20, BurstBytes = 7_000_000, BurstRateBitsPerSecond = 80_000_000, Delay = TimeSpan.FromMilliseconds(10) },
                Up = new LinkSettings { RateMbps = 10, Delay = TimeSpan.FromMilliseconds(10) },
            },
        ]);
        var phases = new PhaseLog();
        using JsonDocument document = JsonDocument.Parse(JsonOutput.Format(await phases.RunAsync(scene.Product, new SpeedRequest { Down = true, NoBonded = true })));
        JsonElement result = document.RootElement;
        output.WriteLine($"{result.GetRawText()}\n{phases}");
        result.Link("plain").GetProperty("shaping_down").ValueKind.ShouldBe(JsonValueKind.Null);
        result.Link("shaped").GetProperty("shaping_down").ValueKind.ShouldBe(JsonValueKind.Object);
        JsonElement shaping = result.Link("shaped").GetProperty("shaping_down");
        shaping.Number("after_mbps")!.Value.ShouldBe(20 * PlainTcp, 20 * 0.05);
        shaping.Number("burst_mbps")!.Value.ShouldBeInRange(50, 80);
        result.Link("shaped").Number("down_mbps")!.Value.ShouldBe(20 * PlainTcp, 20 * 0.05);
        result.Text("verdict")!.ShouldContain("shaped is shaped on the way: ");
    }
}
