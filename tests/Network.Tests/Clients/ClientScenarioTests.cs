using System.Text.Json;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Aggregator.Network.Tests.Scenarios;
using Aggregator.Processes;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Aggregator.Network.Tests.Clients;

/// <summary>A phone somewhere else is carried like the LAN.</summary>
[Collection(ScenarioCollection.Name)]
public sealed class ClientScenarioTests(ITestOutputHelper output)
{
    private static readonly TimeSpan Generous = TimeSpan.FromSeconds(40);

    [SkippableFact]
    public async Task A_client_is_added_carried_served_again_after_a_crash_and_removed()
    {
        await using Scene scene = await Scene.StartAsync(new ProductSettings { Carrier = "trunk", GatewayMore = "clients: {listen: 51999}\n" });
        await WaitForAsync(scene, c => c.GetProperty("state").GetString() == "on");
        await scene.Product.WaitForStatusAsync(
            s => s.GetProperty("packets").GetProperty("networks").EnumerateArray().Any(n => n.GetString() == "10.213.77.0/24"), "the clients' network at the VPS", Generous);
        ToolResult added = await scene.Product.GatewayCommandAsync("client", "add", "phone", "--endpoint", $"{scene.Lab.Wans[0].Address}:51999");
        string configuration = added.OutputOrThrow();
        added.Error.ShouldContain("█");
        (await scene.Product.GatewayCommandAsync("client", "add", "phone")).ExitCode.ShouldBe(1);

        await using RoamingClient phone = await RoamingClient.StartAsync(scene.Lab, configuration);
        await AssertPingAsync(phone.Host, LabAddresses.Internet.ToString());
        await AssertPingAsync(phone.Host, LabAddresses.InternetV6.ToString());
        (await scene.Lab.Vps.OutputAsync("conntrack", "-L")).ShouldContain("src=10.213.77.2");

        // TCP of both families, over both lines.
        string directory = Directory.CreateTempSubdirectory("aggregator-phone-").FullName;
        try
        {
            var before = await ReceivedAsync(scene);
            var curl = new Curl(phone.Host, directory);
            await curl.DownloadAsync(WayIn.TransparentV4, 1, 6_000_000);
            var after = await ReceivedAsync(scene);
            await curl.UploadAsync(WayIn.TransparentV6, 2, 500_000);
            foreach (string link in before.Keys)
            {
                output.WriteLine($"{link}: {after[link] - before[link]} bytes received");
                (after[link] - before[link]).ShouldBeGreaterThan(300_000, $"{link} has a part in it");
            }
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }

        JsonElement listed = await ListAsync(scene);
        output.WriteLine(listed.ToString());
        listed[0].GetProperty("name").GetString().ShouldBe("phone");
        listed[0].GetProperty("endpoint").GetString().ShouldNotBeNull().ShouldStartWith("10.99.1.2:");
        listed[0].GetProperty("last_handshake_s").GetDouble().ShouldBeLessThan(200);
        listed[0].GetProperty("tx_bytes").GetInt64().ShouldBeGreaterThan(6_000_000);

        // Its program is killed: made again, said so, and the phone finds it without doing anything.
        string device = (await scene.Product.StatusAsync()).GetProperty("clients").GetProperty("interface").GetString()!;
        await KillAsync(device);
        await WaitForAsync(scene, c => c.GetProperty("state").GetString() == "on" && c.GetProperty("restarts").GetInt32() == 1);
        (await scene.Product.GatewayCommandAsync("events")).OutputOrThrow().ShouldContain("clients-off");
        await AssertPingAsync(phone.Host, LabAddresses.Internet.ToString());
        await AssertPingAsync(phone.Host, LabAddresses.InternetV6.ToString());

        (await scene.Product.GatewayCommandAsync("client", "remove", "phone")).OutputOrThrow();
        (await phone.Host.RunAsync("ping", "-c", "2", "-W", "1", LabAddresses.Internet.ToString())).Succeeded.ShouldBeFalse();
        (await ListAsync(scene)).GetArrayLength().ShouldBe(0);
        (await scene.Product.GatewayCommandAsync("client", "remove", "phone")).ExitCode.ShouldBe(1);

        // Killed with everything on the host, then `down`.
        scene.Product.Gateway.Kill();
        await scene.Product.Gateway.WaitForExitAsync();
        (await scene.Product.GatewayCommandAsync("down")).OutputOrThrow();
        (await scene.Lab.Gateway.OutputAsync("ip", "-br", "link")).ShouldNotContain("aggc");
        (await FindAsync(device)).ShouldBeEmpty();
        File.Exists($"/run/wireguard/{device}.sock").ShouldBeFalse();
        await AssertAbsentProgramIsSaidAsync(scene);
    }

    /// <summary>Without wireguard-go: clients cannot come, which is said with the next step, and everything else goes on.</summary>
    private static async Task AssertAbsentProgramIsSaidAsync(Scene scene)
    {
        string tools = Directory.CreateTempSubdirectory("aggregator-path-").FullName;
        try
        {
            foreach (string tool in (string[])["ip", "nft"])
            {
                string path = ((string[])["/usr/sbin", "/sbin", "/usr/bin", "/bin"]).Select(d => Path.Combine(d, tool)).First(File.Exists);
                File.CreateSymbolicLink(Path.Combine(tools, tool), path);
            }

            var gateway = scene.Lab.Gateway.Start("/usr/bin/env", $"PATH={tools}", ProductFiles.Gateway, "run", "--config", scene.Product.GatewayConfig);
            string text = "";
            await UntilAsync(async () =>
            {
                ToolResult status = await scene.Product.GatewayCommandAsync("status", "--json");
                if (!status.Succeeded)
                {
                    return false;
                }

                using var json = JsonDocument.Parse(status.Output);
                text = string.Join('\n', json.RootElement.GetProperty("warnings").EnumerateArray()
                    .Where(w => w.GetProperty("code").GetString() == "clients-unavailable").Select(w => w.GetProperty("text").GetString()));
                return text.Contains("apt install wireguard-go", StringComparison.Ordinal) && json.RootElement.GetProperty("node").GetProperty("state").GetString() == "connected";
            }, () => text + gateway.Transcript());
            await scene.Curl.DownloadAsync(WayIn.TransparentV4, 1, 200_000);
            await gateway.StopAsync(TimeSpan.FromSeconds(15));
        }
        finally
        {
            Directory.Delete(tools, recursive: true);
        }
    }

    private static async Task<Dictionary<string, long>> ReceivedAsync(Scene scene) => (await scene.Product.StatusAsync()).GetProperty("links").EnumerateArray()
        .ToDictionary(l => l.GetProperty("name").GetString()!, l => l.GetProperty("rx_bytes").GetInt64());

    private static async Task<JsonElement> ListAsync(Scene scene)
    {
        using JsonDocument list = JsonDocument.Parse((await scene.Product.GatewayCommandAsync("client", "list", "--json")).OutputOrThrow());
        return list.RootElement.GetProperty("clients").Clone();
    }

    private static Task WaitForAsync(Scene scene, Func<JsonElement, bool> condition) => scene.Product.WaitForStatusAsync(
        s => s.GetProperty("clients") is { ValueKind: JsonValueKind.Object } c && condition(c)
            && s.GetProperty("packets") is { ValueKind: JsonValueKind.Object } p && p.GetProperty("state").GetString() == "on",
        "clients", Generous);

    /// <summary>Process ids of the programs of one interface, which no other has.</summary>
    private static async Task<string[]> FindAsync(string device)
    {
        ToolResult found = await Tool.RunAsync("pgrep", ["-f", "-x", $"wireguard-go --foreground {device}"]);
        return found.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    private static async Task KillAsync(string device) =>
        (await Tool.RunAsync("kill", ["-KILL", (await FindAsync(device)).ShouldHaveSingleItem()])).OutputOrThrow();

    private async Task AssertPingAsync(LabHost from, string to)
    {
        ToolResult last = await from.RunAsync("ping", "-c", "2", "-i", "0.2", "-W", "2", to);
        for (int i = 0; i < 15 && !last.Succeeded; i++)
        {
            last = await from.RunAsync("ping", "-c", "2", "-i", "0.2", "-W", "2", to);
        }

        output.WriteLine(last.Output);
        last.Succeeded.ShouldBeTrue(last.Output);
    }

    private static async Task UntilAsync(Func<Task<bool>> condition, Func<string> what)
    {
        long began = TimeProvider.System.GetTimestamp();
        while (!await condition())
        {
            if (TimeProvider.System.GetElapsedTime(began) > Generous)
            {
                throw new TimeoutException(what());
            }

            await Task.Delay(TimeSpan.FromMilliseconds(100));
        }
    }
}
