using System.Text.Json;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Aggregator.Network.Tests.Lab;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Aggregator.Network.Tests.Scenarios;

/// <summary>Rate caps, captive portals and backups that help full lines, with the real daemons.</summary>
[Collection(ScenarioCollection.Name)]
public sealed class CapsAndPortalsTests(ITestOutputHelper output)
{
    private static readonly TimeSpan Generous = TimeSpan.FromSeconds(60);

    [SkippableFact]
    public async Task A_cap_holds_a_portal_is_met_and_a_backup_helps_a_full_line()
    {
        string directory = Directory.CreateTempSubdirectory("aggregator-portal-").FullName;
        string login = Path.Combine(directory, "login");
        try
        {
            // The portal does not open: the login is tried again, but not at once.
            string command = $"echo \"$LINK $INTERFACE $ADDRESS $PORTAL_URL $(awk '{{print $1}}' /proc/uptime)\" >> {login}";
            await using Scene scene = await Scene.StartAsync(new ProductSettings
            {
                WanMore = new Dictionary<string, string> { ["lte"] = $"    role: backup\n    on-portal: {JsonSerializer.Serialize(command)}\n" },
            });
            string before = await QdiscsAsync(scene);
            await CapAsync(scene);
            await OverflowAsync(scene);
            await PortalAsync(scene, login);

            // After a crash as well.
            (await scene.Product.GatewayCommandAsync("link", "fibre", "--cap-down", "5Mbit", "--cap-up", "5Mbit")).OutputOrThrow();
            await LabTest.UntilAsync(() => QdiscsAsync(scene).Result.Contains("ingress", StringComparison.Ordinal), "cap set", Generous);
            scene.Product.Gateway.Kill();
            (await scene.Product.GatewayCommandAsync("down")).OutputOrThrow();
            (await QdiscsAsync(scene)).ShouldBe(before);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    /// <summary>A cap on a line of 20 Mbit/s, set while it runs, in both directions.</summary>
    private async Task CapAsync(Scene scene)
    {
        LabWan fibre = scene.Lab.Wans["fibre"];
        (await scene.Product.GatewayCommandAsync("link", "fibre", "--cap-down", "8Mbit", "--cap-up", "4Mbit")).OutputOrThrow();
        await LabTest.UntilAsync(() => QdiscsAsync(scene).Result.Contains("ingress", StringComparison.Ordinal), "cap set", Generous);
        await scene.Curl.DownloadAsync(WayIn.SocksV4, 1, 1_000_000);
        (double down, double up) = (await RateAsync(() => fibre.Down.Counters.BytesDelivered, () => scene.Curl.DownloadAsync(WayIn.SocksV4, 2, 5_000_000)),
            await RateAsync(() => fibre.Up.Counters.BytesDelivered, () => scene.Curl.UploadAsync(WayIn.SocksV4, 3, 3_000_000)));
        output.WriteLine($"caps of 8 and 4 Mbit/s: {down:0.00} down, {up:0.00} up");
        down.ShouldBeInRange(0, 8.6);
        up.ShouldBeInRange(0, 4.4);
        (await scene.Product.GatewayCommandAsync("link", "fibre", "--cap-down", "none", "--cap-up", "none")).OutputOrThrow();
        await LabTest.UntilAsync(() => !QdiscsAsync(scene).Result.Contains("ingress", StringComparison.Ordinal), "cap gone", Generous);
    }

    /// <summary>A backup for full lines carries when the active one is full, and rests when it is not.</summary>
    private async Task OverflowAsync(Scene scene)
    {
        (await scene.Product.GatewayCommandAsync("link", "lte", "--backup-when", "full")).OutputOrThrow();
        LabWan lte = scene.Lab.Wans["lte"];
        using var over = new CancellationTokenSource();
        var load = Task.WhenAll(Enumerable.Range(0, 4).Select(async i =>
        {
            while (!over.IsCancellationRequested)
            {
                await scene.Curl.DownloadAsync(WayIn.SocksV4, i, 2_000_000);
            }
        }));
        try
        {
            await scene.Product.WaitForStatusAsync(
                s => Link(s, "lte").GetProperty("role").GetString() == "active" && Link(s, "lte").GetProperty("configured_role").GetString() == "backup",
                "lte to help", Generous);
            long carried = lte.Down.Counters.BytesDelivered;
            await LabTest.UntilAsync(() => lte.Down.Counters.BytesDelivered - carried > 1_000_000, "lte helps", Generous);
        }
        finally
        {
            await over.CancelAsync();
            await load;
        }

        await scene.Product.WaitForStatusAsync(s => Link(s, "lte").GetProperty("role").GetString() == "backup", "lte to rest", Generous);
        (await scene.Product.GatewayCommandAsync("link", "lte", "--backup-when", "gone")).OutputOrThrow();
    }

    private async Task PortalAsync(Scene scene, string login)
    {
        await using (await CaptivePortal.OpenAsync(scene.Lab.Wans["lte"]))
        {
            await scene.Product.WaitForStatusAsync(
                s => Link(s, "lte") is var l && l.GetProperty("state").GetString() == "degraded" && l.GetProperty("reason").GetString()!.StartsWith("captive portal", StringComparison.Ordinal),
                "portal met", Generous);
            // The other line carries on.
            await scene.Curl.DownloadAsync(WayIn.SocksV4, 4, 100_000);
            await LabTest.UntilAsync(() => File.Exists(login) && File.ReadAllLines(login).Length >= 2, "two logins tried", Generous);
            string[] tries = File.ReadAllLines(login);
            output.WriteLine(string.Join('\n', tries));
            tries[0].ShouldStartWith($"lte wan2 {LabAddresses.Wan(2)} {CaptivePortal.LoginPage}");
            double pause = double.Parse(tries[1].Split(' ')[^1], System.Globalization.CultureInfo.InvariantCulture)
                - double.Parse(tries[0].Split(' ')[^1], System.Globalization.CultureInfo.InvariantCulture);
            pause.ShouldBeGreaterThan(9, "tried again after a pause");
            // Silent besides: a portal that lets nothing through. Its redirect still answers in everybody's place.
            output.WriteLine((await scene.Product.GatewayCommandAsync("events")).OutputOrThrow());
        }

        await scene.Lab.Wans["lte"].Isp.OutputAsync("nft", "delete", "table", "ip", "portal");
        await scene.Product.WaitForStatusAsync(s => Link(s, "lte").GetProperty("state").GetString() == "up", "portal gone", Generous);
    }

    private static async Task<double> RateAsync(Func<long> bytes, Func<Task> work)
    {
        long before = bytes();
        long began = TimeProvider.System.GetTimestamp();
        await work();
        return (bytes() - before) * 8 / 1e6 / TimeProvider.System.GetElapsedTime(began).TotalSeconds;
    }

    private static Task<string> QdiscsAsync(Scene scene) => scene.Lab.Gateway.ShellAsync("tc qdisc show dev wan1; tc qdisc show dev wan2; ip -o link show type ifb | cut -d: -f2");

    private static JsonElement Link(JsonElement status, string name) =>
        status.GetProperty("links").EnumerateArray().First(l => l.GetProperty("name").GetString() == name);
}
