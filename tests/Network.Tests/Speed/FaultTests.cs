using System.Text.Json;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Aggregator.Network.Tests.Lab;
using Aggregator.Network.Tests.Scenarios;
using Aggregator.Processes;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Aggregator.Network.Tests.Speed;

/// <summary>Links and calls that are not as they should be: each named for what it is, and the rest measured all the same.</summary>
[Collection(ScenarioCollection.Name)]
public sealed class FaultTests(ITestOutputHelper output)
{
    private const double PlainTcp = 1448.0 / 1500;

    /// <summary>Its header has 20 bytes more.</summary>
    private const double PlainTcpOverIPv6 = 1428.0 / 1500;

    [SkippableFact]
    public async Task A_lossy_link_and_one_behind_a_symmetric_nat_are_measured_and_named()
    {
        await using Scene scene = await Scene.StartAsync(wans:
        [
            new("lossy") { DownMbps = 30, UpMbps = 10, DelayMs = 15, LossRatio = 0.01 },
            new("nat") { DownMbps = 20, UpMbps = 10, DelayMs = 10, Nat = NatKind.Symmetric },
        ]);
        JsonElement result = await scene.SpeedtestAsync("--duration", "4s");
        JsonElement lossy = result.Link("lossy"), nat = result.Link("nat");
        output.WriteLine(result.GetRawText());
        lossy.Number("down_mbps")!.Value.ShouldBe(30 * PlainTcp * 0.99, 30 * 0.05);
        lossy.Number("retransmit_ratio_down")!.Value.ShouldBeInRange(0.005, 0.03);
        lossy.Number("paced_loss_ratio")!.Value.ShouldBe(0.01, 0.007);
        result.Text("verdict")!.ShouldContain("lossy loses");

        nat.Number("down_mbps")!.Value.ShouldBe(20 * PlainTcp, 20 * 0.03);
        nat.Number("up_mbps")!.Value.ShouldBe(10 * PlainTcp, 10 * 0.03);
        nat.Text("mptcp").ShouldBe("v1");
        nat.Text("public_address").ShouldNotBe(scene.Lab.Wans["nat"].Address!.ToString());
        // The VPS's figures of the subflow behind NAT are found by its public address.
        result.GetProperty("bonded").GetProperty("mptcp_subflows").EnumerateArray()
            .Single(s => s.Text("link") == "nat").Number("rtt_ms").ShouldNotBeNull();
    }

    [SkippableTheory]
    [InlineData("trunk")]
    [InlineData("mptcp")]
    public async Task A_link_with_IPv6_alone_is_measured_like_any_other(string carrier)
    {
        await using Scene scene = await Scene.StartAsync(
            new ProductSettings { Carrier = carrier, Public = [LabAddresses.Vps.ToString(), LabAddresses.VpsV6.ToString()] },
            [new("four") { DownMbps = 20, UpMbps = 10, DelayMs = 5, IPv6 = false }, new("six") { DownMbps = 30, UpMbps = 10, DelayMs = 10, IPv4 = false }]);
        JsonElement result = await scene.SpeedtestAsync("--duration", "2s");
        output.WriteLine(result.GetRawText());
        JsonElement six = result.Link("six");
        six.Text("error").ShouldBeNull();
        six.Number("down_mbps")!.Value.ShouldBe(30 * PlainTcpOverIPv6, 30 * 0.03);
        six.Number("up_mbps")!.Value.ShouldBe(10 * PlainTcpOverIPv6, 10 * 0.03);
        six.Number("rtt_idle_ms")!.Value.ShouldBe(20, 2);
        six.Number("loss_ratio").ShouldBe(0);
        six.Text("mptcp").ShouldBe("v1");
        six.Text("public_address").ShouldBe(scene.Lab.Wans["six"].AddressV6!.ToString());
        result.Link("four").Text("mptcp").ShouldBe("v1");
        // A connection of either family has subflows of that family alone; lanes are connections of their own.
        result.GetProperty("bonded").GetProperty("subflows").EnumerateArray().Select(s => s.Text("link")).Distinct().Count().ShouldBe(carrier == "trunk" ? 2 : 1);
    }

    [SkippableFact]
    public async Task A_link_that_dies_in_the_test_has_its_error_and_the_other_its_figures()
    {
        await using Scene scene = await Scene.StartAsync();
        LabWan dying = scene.Lab.Wans["lte"];
        Task<JsonElement> running = scene.SpeedtestAsync("--duration", "4s");
        // Well in its download: probes and handshakes are far less.
        long before = dying.Down.Counters.BytesDelivered;
        await LabTest.UntilAsync(() => dying.Down.Counters.BytesDelivered - before > 1_000_000, "the second link is loaded", TimeSpan.FromSeconds(40));
        dying.BlackHole = true;
        JsonElement result = await running;
        output.WriteLine(result.GetRawText());
        result.Link("lte").Text("error").ShouldNotBeNullOrEmpty();
        result.Link("lte").Number("up_mbps").ShouldBeNull();
        result.Link("fibre").Text("error").ShouldBeNull();
        result.Link("fibre").Number("down_mbps").ShouldNotBeNull();
        result.Text("verdict")!.ShouldContain("lte failed");
    }

    [SkippableFact]
    public async Task What_cannot_be_done_is_said_in_one_line()
    {
        await using Scene scene = await Scene.StartAsync();
        await FailsAsync(scene, 1, "no link is called `nope` (links: fibre, lte)", "--link", "nope");
        await FailsAsync(scene, 2, "--duration", "--duration", "0s");
        await FailsAsync(scene, 2, "--duration", "--duration", "99h");
        await FailsAsync(scene, 2, "--duration", "--duration", "soon");

        Task<ToolResult> first = scene.Product.GatewayCommandAsync("speedtest", "--json", "--duration", "2s", "--no-bonded");
        long before = scene.Lab.Wans["fibre"].Down.Counters.BytesDelivered;
        await LabTest.UntilAsync(() => scene.Lab.Wans["fibre"].Down.Counters.BytesDelivered - before > 100_000, "the first test runs", TimeSpan.FromSeconds(20));
        await FailsAsync(scene, 1, "a speed test is running already");
        (await first).OutputOrThrow();

        ToolResult history = await scene.Product.GatewayCommandAsync("speedtest", "--history", "--json");
        using (JsonDocument kept = JsonDocument.Parse(history.OutputOrThrow()))
        {
            JsonElement test = kept.RootElement.GetProperty("tests").EnumerateArray().ShouldHaveSingleItem();
            test.GetProperty("links").EnumerateArray().Select(l => l.Text("name")).ShouldBe(["fibre", "lte"]);
        }

        await scene.Product.Vps.StopAsync(TimeSpan.FromSeconds(15));
        await scene.Product.WaitForStatusAsync(s => s.GetProperty("node").GetProperty("state").GetString() != "connected", "the VPS gone", TimeSpan.FromSeconds(15));
        await FailsAsync(scene, 1, "the VPS");
        await scene.Product.Gateway.StopAsync(TimeSpan.FromSeconds(15));
        await FailsAsync(scene, 3, "not running");
    }

    private async Task FailsAsync(Scene scene, int exitCode, string text, params string[] arguments)
    {
        ToolResult result = await scene.Product.GatewayCommandAsync(["speedtest", .. arguments]);
        output.WriteLine($"{string.Join(' ', arguments)} → {result.ExitCode}: {result.Error.Trim()}");
        result.ExitCode.ShouldBe(exitCode);
        result.Error.Trim().ShouldContain(text);
        result.Error.Trim().ShouldNotContain('\n');
    }
}
