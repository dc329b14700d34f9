using System.Text.Json;
using Aggregator.Lab.Emulation;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Aggregator.Network.Tests.Scenarios;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Aggregator.Network.Tests.Trunk;

/// <summary>The trunk with the real daemons where a line does what lines should not, and what the status tells of it.</summary>
[Collection(ScenarioCollection.Name)]
public sealed class TrunkScenarioTests(ITestOutputHelper output)
{
    private static readonly ProductSettings Trunk = new() { Carrier = "trunk" };

    private static readonly TimeSpan Generous = TimeSpan.FromSeconds(30);

    [SkippableFact]
    public async Task A_line_that_strips_MPTCP_carries_its_share_and_is_named()
    {
        await using Scene scene = await Scene.StartAsync(Trunk, wans:
        [
            Scene.TwoWans[0],
            Scene.TwoWans[1] with { Interference = MptcpInterference.StripAll },
        ]);
        await LanesAsync(scene, "fibre", "lte");
        long before = scene.Lab.Wans["lte"].Down.Counters.BytesDelivered;
        await scene.Curl.DownloadAsync(WayIn.SocksV4, 1, 6_000_000);
        await scene.Curl.UploadAsync(WayIn.HttpV4, 2, 2_000_000);
        (scene.Lab.Wans["lte"].Down.Counters.BytesDelivered - before).ShouldBeGreaterThan(500_000, "its share");

        JsonElement status = await scene.Product.StatusAsync();
        output.WriteLine(status.ToString());
        Lane(status, "lte").GetProperty("mptcp").GetString().ShouldBe("stripped");
        Lane(status, "fibre").GetProperty("mptcp").GetString().ShouldBe("v1");
        status.GetProperty("warnings").EnumerateArray().ShouldContain(w => w.GetProperty("code").GetString() == "mptcp-fallback");
        status.GetProperty("links").EnumerateArray().First(l => l.GetProperty("name").GetString() == "lte").GetProperty("mptcp").GetString().ShouldBe("stripped");
    }

    [SkippableFact]
    public async Task Both_ends_tell_of_the_lanes_and_backups_join_them()
    {
        await using Scene scene = await Scene.StartAsync(Trunk);
        await LanesAsync(scene, "fibre", "lte");
        await scene.Product.WaitForStatusAsync(s => Lane(s, "fibre").GetProperty("backups").GetInt32() == 1 && Lane(s, "lte").GetProperty("backups").GetInt32() == 1, "backups", Generous);
        Task load = scene.Curl.DownloadAsync(WayIn.SocksV4, 1, 12_000_000);
        await scene.Product.WaitForStatusAsync(s => Lane(s, "lte").GetProperty("received_mbps").GetDouble() > 1, "what comes over lte", Generous);
        using JsonDocument vps = JsonDocument.Parse((await scene.Product.VpsCommandAsync("status", "--json")).OutputOrThrow());
        JsonElement far = vps.RootElement.GetProperty("gateways")[0].GetProperty("trunk");
        output.WriteLine(far.ToString());
        await load;
        far.GetProperty("lanes").EnumerateArray().Select(l => l.GetProperty("link").GetString()).ShouldBe(["fibre", "lte"], ignoreOrder: true);
        far.GetProperty("lanes").EnumerateArray().Sum(l => l.GetProperty("share").GetDouble()).ShouldBeInRange(0.97, 1.03);
        far.GetProperty("streams").GetInt32().ShouldBe(1);
        (await scene.Product.GatewayCommandAsync("status")).OutputOrThrow().ShouldContain("carrying");
        (await scene.Product.VpsCommandAsync("status")).OutputOrThrow().ShouldContain("LANE OF HOME");
    }

    [SkippableFact]
    public async Task Each_lane_has_the_family_of_its_line()
    {
        await using Scene scene = await Scene.StartAsync(
            new ProductSettings { Carrier = "trunk", Public = [LabAddresses.Vps.ToString(), LabAddresses.VpsV6.ToString()] },
            [Scene.TwoWans[0] with { IPv6 = false }, Scene.TwoWans[1] with { IPv4 = false }]);
        await LanesAsync(scene, "fibre", "lte");
        JsonElement status = await scene.Product.StatusAsync();
        Lane(status, "fibre").GetProperty("remote").GetString().ShouldBe($"{LabAddresses.Vps}:7443");
        Lane(status, "lte").GetProperty("remote").GetString().ShouldBe($"[{LabAddresses.VpsV6}]:7443");
        await scene.Curl.DownloadAsync(WayIn.SocksV4, 1, 3_000_000);
    }

    /// <summary>The other carrier goes on working as it did.</summary>
    [SkippableFact]
    public async Task The_carrier_mptcp_is_there_for_whoever_asks()
    {
        await using Scene scene = await Scene.StartAsync(new ProductSettings { Carrier = "mptcp" });
        await scene.Curl.DownloadAsync(WayIn.SocksV4, 1, 3_000_000);
        scene.Lab.Wans["fibre"].BlackHole = true;
        await scene.Curl.DownloadAsync(WayIn.TransparentV4, 2, 1_000_000);
        JsonElement status = await scene.Product.StatusAsync();
        status.GetProperty("carrier").GetString().ShouldBe("mptcp");
        status.GetProperty("trunk").ValueKind.ShouldBe(JsonValueKind.Null);
        status.GetProperty("pool").ValueKind.ShouldBe(JsonValueKind.Object);
    }

    private static JsonElement Lane(JsonElement status, string link) =>
        status.GetProperty("trunk").GetProperty("lanes").EnumerateArray().First(l => l.GetProperty("link").GetString() == link);

    private static Task LanesAsync(Scene scene, params string[] links) => scene.Product.WaitForStatusAsync(
        s => links.All(l => Lane(s, l).GetProperty("state").GetString() == "carrying"), "its lanes", Generous);
}
