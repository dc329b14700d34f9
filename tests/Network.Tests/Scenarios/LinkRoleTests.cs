using System.Diagnostics;
using System.Text.Json;
using Aggregator.Lab.Topology;
using Aggregator.Network.Tests.Lab;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Aggregator.Network.Tests.Scenarios;

/// <summary>`link NAME off|backup|active` while traffic flows, and what `status --json` says.</summary>
[Collection(ScenarioCollection.Name)]
public sealed class LinkRoleTests(ITestOutputHelper output)
{
    private static readonly TimeSpan Generous = TimeSpan.FromSeconds(30);

    /// <summary>Of a download of a second's payload, what is left on a WAN that takes no part: probes, and acknowledgements of other things.</summary>
    private const long Quiet = 60_000;

    private const long Payload = 150_000;

    [SkippableFact]
    public async Task Roles_move_the_traffic_and_survive_a_restart()
    {
        await using Scene scene = await Scene.StartAsync();
        LabWan fibre = scene.Lab.Wans["fibre"], lte = scene.Lab.Wans["lte"];
        using var over = new CancellationTokenSource();
        Task load = LoadAsync(scene, over.Token);
        try
        {
            await CarriesAsync(fibre);
            await CarriesAsync(lte);

            foreach (string role in (string[])["off", "backup"])
            {
                await RoleAsync(scene, "lte", role);
                await FallsSilentAsync(fibre, lte, role);
                await RoleAsync(scene, "lte", "active");
                long began = Stopwatch.GetTimestamp();
                await CarriesAsync(lte);
                output.WriteLine($"{role} → active: carries {Stopwatch.GetElapsedTime(began).TotalMilliseconds:0} ms after the command");
            }

            // A backup takes over when the active one is gone.
            await RoleAsync(scene, "lte", "backup");
            await FallsSilentAsync(fibre, lte, "backup");
            fibre.BlackHole = true;
            await CarriesAsync(lte);
            fibre.BlackHole = false;
            await CarriesAsync(fibre);
        }
        finally
        {
            await over.CancelAsync();
            await load;
        }

        (await scene.Product.Gateway.StopAsync()).ShouldBe(0);
        scene.Product.StartGateway();
        await scene.Product.WaitForConnectedAsync();
        Link(await scene.Product.StatusAsync(), "lte").GetProperty("role").GetString().ShouldBe("backup");

        (await scene.Product.GatewayCommandAsync("link", "nonsense", "off")).ExitCode.ShouldBe(1);
        (await scene.Product.GatewayCommandAsync("link", "lte", "nonsense")).ExitCode.ShouldBe(2);
    }

    [SkippableFact]
    public async Task Status_has_every_field_of_the_contract()
    {
        await using Scene scene = await Scene.StartAsync();
        await scene.Curl.DownloadAsync(WayIn.SocksV4, 1, 100_000);
        scene.Lab.Wans["lte"].BlackHole = true;
        await scene.Product.WaitForStatusAsync(s => Link(s, "lte").GetProperty("state").GetString() == "down", "lte down", Generous);
        await scene.Product.WaitForStatusAsync(s => s.GetProperty("node").GetProperty("rtt_ms").ValueKind == JsonValueKind.Number, "an answered ping", Generous);
        JsonElement status = await scene.Product.StatusAsync();
        output.WriteLine(status.ToString());

        JsonElement node = status.GetProperty("node");
        node.GetProperty("address").GetString().ShouldBe($"{LabAddresses.Vps}:7443");
        node.GetProperty("state").GetString().ShouldBe("connected");
        node.GetProperty("version").GetString().ShouldNotBeNullOrEmpty();
        status.GetProperty("carrier").GetString().ShouldBe("trunk");
        status.GetProperty("flows").GetProperty("active").GetInt64().ShouldBe(0);
        status.GetProperty("flows").GetProperty("total").GetInt64().ShouldBe(1);
        status.GetProperty("warnings").ValueKind.ShouldBe(JsonValueKind.Array);
        JsonValueKind vps = status.GetProperty("vps").ValueKind;
        (vps is JsonValueKind.Object or JsonValueKind.Null).ShouldBeTrue();

        JsonElement fibre = Link(status, "fibre"), lte = Link(status, "lte");
        foreach (JsonElement link in (JsonElement[])[fibre, lte])
        {
            link.GetProperty("role").GetString().ShouldBe("active");
            link.GetProperty("interface").GetString().ShouldBeOneOf("wan1", "wan2");
            link.GetProperty("address").GetString().ShouldBeOneOf(LabAddresses.Wan(1).ToString(), LabAddresses.Wan(2).ToString());
            link.GetProperty("gateway").GetString().ShouldBeOneOf(LabAddresses.WanRouter(1).ToString(), LabAddresses.WanRouter(2).ToString());
            link.GetProperty("rx_bytes").GetInt64().ShouldBeGreaterThan(0);
            link.GetProperty("tx_bytes").GetInt64().ShouldBeGreaterThan(0);
        }

        fibre.GetProperty("state").GetString().ShouldBe("up");
        fibre.GetProperty("reason").ValueKind.ShouldBe(JsonValueKind.Null);
        fibre.GetProperty("rtt_ms").GetDouble().ShouldBeInRange(9, 200);
        fibre.GetProperty("loss_ratio").GetDouble().ShouldBeInRange(0, 0.5);
        fibre.GetProperty("mptcp").GetString().ShouldBe("v1");
        lte.GetProperty("reason").GetString().ShouldNotBeNullOrEmpty();

        // Nothing measured yet: null, not 0.
        await scene.Lab.Wans["lte"].RemoveAsync();
        await scene.Product.WaitForStatusAsync(s => Link(s, "lte").GetProperty("address").ValueKind == JsonValueKind.Null, "lte without address", Generous);
        lte = Link(await scene.Product.StatusAsync(), "lte");
        lte.GetProperty("state").GetString().ShouldBe("down");
        foreach (string field in (string[])["address", "gateway", "rtt_ms", "loss_ratio", "rx_bytes", "tx_bytes"])
        {
            lte.GetProperty(field).ValueKind.ShouldBe(JsonValueKind.Null, field);
        }

        JsonElement health = Json((await scene.Product.VpsCommandAsync("status", "--json")).OutputOrThrow());
        output.WriteLine(health.ToString());
    }

    private static JsonElement Json(string text)
    {
        using JsonDocument document = JsonDocument.Parse(text);
        return document.RootElement.Clone();
    }

    private static JsonElement Link(JsonElement status, string name) =>
        status.GetProperty("links").EnumerateArray().First(l => l.GetProperty("name").GetString() == name);

    private static async Task RoleAsync(Scene scene, string link, string role) =>
        (await scene.Product.GatewayCommandAsync("link", link, role)).OutputOrThrow();

    /// <summary>Downloads without end: four long ones beside each other, so that roles have to move flows that are under way.</summary>
    private static Task LoadAsync(Scene scene, CancellationToken cancellationToken) => Task.WhenAll(Enumerable.Range(0, 4).Select(async i =>
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            await scene.Curl.DownloadAsync(WayIn.SocksV4, i, 3_000_000);
        }
    }));

    private static Task CarriesAsync(LabWan wan)
    {
        long before = wan.Down.Counters.BytesDelivered;
        return LabTest.UntilAsync(() => wan.Down.Counters.BytesDelivered - before > Payload, $"{wan.Name} carries", Generous);
    }

    /// <summary>While the other WAN carries five times as much as counts for payload, this one carries next to nothing.</summary>
    private async Task FallsSilentAsync(LabWan other, LabWan silent, string why)
    {
        long began = Stopwatch.GetTimestamp();
        while (true)
        {
            long before = silent.Down.Counters.BytesDelivered, start = other.Down.Counters.BytesDelivered;
            await LabTest.UntilAsync(() => other.Down.Counters.BytesDelivered - start > 5 * Payload, $"{other.Name} carries", Generous);
            long carried = silent.Down.Counters.BytesDelivered - before;
            TimeSpan took = Stopwatch.GetElapsedTime(began);
            if (carried < Quiet)
            {
                output.WriteLine($"{why}: {silent.Name} silent ({carried} bytes beside {5 * Payload}) {took.TotalMilliseconds:0} ms after the command");
                return;
            }

            took.ShouldBeLessThan(Generous, $"{silent.Name} still carries after it was made {why}: {carried} bytes beside {5 * Payload}");
        }
    }
}
