using System.Globalization;
using System.Net;
using System.Text.Json;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Aggregator.Network.Tests.Lab;
using Aggregator.Processes;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Aggregator.Network.Tests.Scenarios;

/// <summary>Quotas, hooks, events and `use`, with the real daemons.</summary>
[Collection(ScenarioCollection.Name)]
public sealed class LimitsTests(ITestOutputHelper output)
{
    private const long Quota = 10_000_000;
    private const int SourcePort = 9000;
    private static readonly TimeSpan Generous = TimeSpan.FromSeconds(60);

    [SkippableFact]
    public async Task A_quota_is_held_across_a_crash_and_hooks_are_told()
    {
        string hooks = Directory.CreateTempSubdirectory("aggregator-hooks-").FullName;
        try
        {
            string told = Path.Combine(hooks, ".told");
            Hook(hooks, "10-hangs", $"[ \"$ACTION\" = quota-warning ] && exec sleep 1000; exit 0");
            Hook(hooks, "20-tells", $"echo \"$ACTION|$LINK|$INTERFACE|$REASON\" >> {told}");
            Hook(hooks, "30-fails", "[ \"$ACTION\" = quota-exceeded ] && { echo broken >&2; exit 3; }; exit 0");
            await File.WriteAllTextAsync(Path.Combine(hooks, "no-program"), "not executable\n");
            string open = Hook(hooks, "90-open", $"echo intruder >> {told}");
            File.SetUnixFileMode(open, File.GetUnixFileMode(open) | UnixFileMode.OtherWrite);

            await using Scene scene = await Scene.StartAsync(new ProductSettings
            {
                GatewayMore = $"hooks: {hooks}\n",
                WanMore = new Dictionary<string, string> { ["lte"] = $"    quota: {{limit: {Quota / 1_000_000}MB, billing-day: 31}}\n" },
            });
            long before = await BytesAsync(scene, "wan2");
            long counted = Link(await scene.Product.StatusAsync(), "lte").GetProperty("quota").GetProperty("used_bytes").GetInt64();
            using var over = new CancellationTokenSource();
            var load = LoadAsync(scene, over.Token);
            try
            {
                await UntilUsedAsync(scene, Quota / 3);
                // Not in good order: what was counted must not depend on it.
                scene.Product.Gateway.Kill();
                scene.Product.StartGateway();
                await scene.Product.WaitForStatusAsync(s => Link(s, "lte").GetProperty("role").GetString() == "off", "lte off by its quota", Generous);
            }
            finally
            {
                await over.CancelAsync();
                await load;
            }

            // What was under way has arrived when the other line has finished a download by itself.
            await scene.Curl.DownloadAsync(WayIn.SocksV4, 1, 3_000_000);
            long moved = await BytesAsync(scene, "wan2") - before + counted;
            JsonElement lte = Link(await scene.Product.StatusAsync(), "lte");
            output.WriteLine($"{moved} bytes of {Quota} moved; {lte.GetProperty("quota")}");
            moved.ShouldBeInRange(Quota - 1_000_000, Quota + 1_000_000);
            lte.GetProperty("configured_role").GetString().ShouldBe("active");
            lte.GetProperty("role_reason").GetString()!.ShouldContain("quota");

            string[] actions = [];
            await LabTest.UntilAsync(
                () =>
                {
                    actions = File.Exists(told) ? File.ReadAllLines(told) : [];
                    return actions.Any(a => a.StartsWith("role|lte|wan2|active → off", StringComparison.Ordinal));
                },
                "hooks told of the role",
                Generous);
            output.WriteLine(string.Join('\n', actions));
            actions.ShouldContain(a => a.StartsWith("up|lte|wan2|", StringComparison.Ordinal));
            actions.ShouldContain(a => a.StartsWith("quota-exceeded|lte|wan2|", StringComparison.Ordinal));
            actions.ShouldNotContain("intruder");

            using JsonDocument events = JsonDocument.Parse((await scene.Product.GatewayCommandAsync("events", "--json", "--limit", "1000")).OutputOrThrow());
            var all = events.RootElement.GetProperty("events").EnumerateArray().ToArray();
            output.WriteLine((await scene.Product.GatewayCommandAsync("events")).OutputOrThrow());
            all.Select(e => e.GetProperty("number").GetInt64()).ShouldBeInOrder();
            Failures(all).ShouldContain(f => f.Contains("10-hangs", StringComparison.Ordinal) && f.Contains("killed after 10 s", StringComparison.Ordinal));
            Failures(all).ShouldContain(f => f.Contains("30-fails", StringComparison.Ordinal) && f.Contains("status 3: broken", StringComparison.Ordinal));
            Failures(all).ShouldContain(f => f.Contains("90-open", StringComparison.Ordinal));

            await RaisedAsync(scene);
            await UsedAsync(scene);
        }
        finally
        {
            Directory.Delete(hooks, recursive: true);
        }
    }

    /// <summary>The limit is raised while the daemon runs: the link carries again.</summary>
    private static async Task RaisedAsync(Scene scene)
    {
        (await scene.Product.GatewayCommandAsync("link", "lte", "--quota", "nonsense")).ExitCode.ShouldBe(1);
        (await scene.Product.GatewayCommandAsync("link", "lte")).ExitCode.ShouldBe(2);
        (await scene.Product.GatewayCommandAsync("link", "lte", "--quota", "20MB", "--quota-then", "backup")).OutputOrThrow();
        await scene.Product.WaitForStatusAsync(
            s => Link(s, "lte").GetProperty("role").GetString() == "active" && Link(s, "lte").GetProperty("state").GetString() == "up", "lte active again", Generous);
        (await scene.Product.GatewayCommandAsync("link", "lte", "--quota-used", "21MB")).OutputOrThrow();
        await scene.Product.WaitForStatusAsync(s => Link(s, "lte").GetProperty("role").GetString() == "backup", "lte backup by its quota", Generous);
        (await scene.Product.GatewayCommandAsync("link", "lte", "--quota", "none", "--cost", "5")).OutputOrThrow();
        await scene.Product.WaitForStatusAsync(
            s => Link(s, "lte") is var l && l.GetProperty("role").GetString() == "backup" && l.GetProperty("role_reason").GetString()!.Contains("costs more", StringComparison.Ordinal),
            "lte backup by its cost", Generous);
        (await scene.Product.GatewayCommandAsync("link", "lte", "--cost", "0")).OutputOrThrow();
    }

    /// <summary>Any program over one link, with that link's address; over a dead one nothing leaves.</summary>
    private async Task UsedAsync(Scene scene)
    {
        scene.Serve(SourcePort, async socket => await socket.SendAsync(((IPEndPoint)socket.RemoteEndPoint!).Address.MapToIPv4().GetAddressBytes()));
        foreach (LabWan wan in scene.Lab.Wans)
        {
            (await AskAsync(wan.Name)).OutputOrThrow().Trim().ShouldBe(LabAddresses.Wan(wan.Number).ToString());
        }

        (await scene.Product.GatewayCommandAsync("use", "nonsense", "true")).ExitCode.ShouldBe(1);
        (await Use(scene, "lte")).ExitCode.ShouldBe(2);
        (await scene.Product.GatewayCommandAsync("use", "lte", "true")).ExitCode.ShouldBe(0, "`--config` behind the program, as scripts put it");
        (await Use(scene, "fibre", "/bin/sh", "-c", "exit 7")).ExitCode.ShouldBe(7);
        (await Use(scene, "fibre", "/nonexistent")).ExitCode.ShouldBe(1);
        (await Use(scene, "lte", "printenv", "LINK", "INTERFACE", "ADDRESS")).OutputOrThrow().ShouldBe($"lte\nwan2\n{LabAddresses.Wan(2)}\n");
        await scene.Lab.Wans["lte"].CarrierAsync(false);
        await scene.Product.WaitForStatusAsync(s => Link(s, "lte").GetProperty("state").GetString() == "down", "lte down", Generous);
        ToolResult refused = await AskAsync("lte");
        output.WriteLine(refused.Error);
        refused.ExitCode.ShouldNotBe(0, "over a link that is away nothing leaves");
        (await scene.Product.GatewayCommandAsync("down")).OutputOrThrow();

        Task<ToolResult> AskAsync(string link) => Use(
            scene, link, "python3", "-c",
            string.Create(CultureInfo.InvariantCulture, $"import socket; s=socket.create_connection(('{LabAddresses.Internet}',{SourcePort}),5); print('.'.join(map(str,s.recv(4))))"));
    }

    private static Task<ToolResult> Use(Scene scene, string link, params string[] program) =>
        scene.Lab.Gateway.RunAsync(ProductFiles.Gateway, ["use", "--config", scene.Product.GatewayConfig, link, .. program]);

    private static string[] Failures(JsonElement[] events) =>
        [.. events.Where(e => e.GetProperty("action").GetString() == "hook-failed").Select(e => e.GetProperty("reason").GetString()!)];

    private static async Task UntilUsedAsync(Scene scene, long bytes) => await scene.Product.WaitForStatusAsync(
        s => Link(s, "lte").GetProperty("quota").GetProperty("used_bytes").GetInt64() > bytes, $"{bytes} bytes over lte", Generous);

    private static async Task<long> BytesAsync(Scene scene, string device)
    {
        string[] counters = (await scene.Lab.Gateway.ShellAsync($"cat /sys/class/net/{device}/statistics/rx_bytes /sys/class/net/{device}/statistics/tx_bytes")).Split('\n');
        return long.Parse(counters[0], CultureInfo.InvariantCulture) + long.Parse(counters[1], CultureInfo.InvariantCulture);
    }

    private static JsonElement Link(JsonElement status, string name) =>
        status.GetProperty("links").EnumerateArray().First(l => l.GetProperty("name").GetString() == name);

    /// <summary>Downloads without end; those that the crash cut are begun again.</summary>
    private static Task LoadAsync(Scene scene, CancellationToken cancellationToken) => Task.WhenAll(Enumerable.Range(0, 3).Select(async i =>
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            ToolResult result = await scene.Curl.RunAsync(WayIn.SocksV4, "-o", "/dev/null", $"{Site.UrlV4}/bytes/{i}/2000000");
            if (!result.Succeeded)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(100), CancellationToken.None);
            }
        }
    }));

    private static string Hook(string directory, string name, string script)
    {
        string path = Path.Combine(directory, name);
        File.WriteAllText(path, $"#!/bin/sh\n{script}\n");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
        return path;
    }
}
