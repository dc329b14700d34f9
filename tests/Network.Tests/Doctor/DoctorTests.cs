using System.Diagnostics;
using System.Text.Json;
using Aggregator.Lab.Emulation;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Aggregator.Network.Tests.Lab;
using Aggregator.Network.Tests.Scenarios;
using Aggregator.Processes;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Aggregator.Network.Tests.Doctor;

/// <summary>`doctor` on a healthy home, on one with every fault at once, and without a daemon.</summary>
[Collection(ScenarioCollection.Name)]
public sealed class DoctorTests(ITestOutputHelper output)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    [SkippableFact]
    public async Task A_healthy_home_raises_no_alarm()
    {
        await using NetworkLab lab = await LabTest.CreateAsync(new LabSpec
        {
            Wans =
            [
                new("fibre") { DownMbps = 100, UpMbps = 50, DelayMs = 5 },
                new("dsl") { DownMbps = 50, UpMbps = 10, DelayMs = 15, Nat = NatKind.PortRestricted },
                new("lte") { DownMbps = 20, UpMbps = 5, DelayMs = 60, JitterMs = 5 },
            ],
        });
        await using AggregatorUnderTest product = await AggregatorUnderTest.StartAsync(lab, new ProductSettings { EgressAllow = WithLines });
        await WaitForPacketsAsync(product);
        var checks = await DoctorAsync(product);
        // The lab's VPS has the test machine's processors, and tells of their load rightly.
        checks.Values.Where(c => c.Result is not ("ok" or "skip") && !(c.Id == "vps-health" && c.Finding.StartsWith("the load is", StringComparison.Ordinal))).ShouldBeEmpty();
        checks["nat"].Finding.ShouldContain("dsl: port-restricted NAT");
        checks["nat"].Finding.ShouldContain("fibre: no NAT");
        checks["vps-nat"].Result.ShouldBe("ok", checks["vps-nat"].Finding);
        checks["vps-nat"].Finding.ShouldContain("measured: endpoint-independent mapping");
        checks["vps-nat"].Finding.ShouldContain("port kept; address- and port-dependent filtering");
        checks["mtu"].Finding.ShouldContain("fibre: 1500");
        checks["packet-loss"].Finding.ShouldContain("fibre: 0 of 1000");
        checks["versions"].Result.ShouldBe("ok");
        checks["clock"].Result.ShouldBe("ok");
        checks["vps-health"].Finding.ShouldContain("memory available");
        checks["link-speed"].Finding.ShouldContain("dsl: ");

        // The VPS goes: the report is there all the same, and says so.
        await product.Vps.StopAsync(TimeSpan.FromSeconds(15));
        await product.WaitForStatusAsync(s => s.GetProperty("node").GetProperty("state").GetString() == "unreachable", "unreachable VPS", TimeSpan.FromSeconds(30));
        var alone = await DoctorAsync(product);
        alone["vps"].Result.ShouldBe("fail");
        alone["vps"].Finding.ShouldContain("it last answered");
        alone["link-speed"].Result.ShouldBe("skip");
        alone["nat"].Result.ShouldBe("skip");
    }

    [SkippableFact]
    public async Task Every_fault_is_named_for_what_it_is()
    {
        await using NetworkLab lab = await LabTest.CreateAsync(new LabSpec
        {
            Wans =
            [
                new("fibre") { DownMbps = 50, UpMbps = 20, DelayMs = 5 },
                new("lossy") { DownMbps = 20, UpMbps = 10, DelayMs = 10, LossRatio = 0.01 },
                new("stripped") { DownMbps = 20, UpMbps = 10, DelayMs = 10, Interference = MptcpInterference.StripAll },
                new("symmetric") { DownMbps = 20, UpMbps = 10, DelayMs = 10, Nat = NatKind.Symmetric },
                new("narrow") { Down = Narrow, Up = Narrow },
                new("portal") { DownMbps = 20, UpMbps = 10, DelayMs = 10 },
                new("twin-a") { DownMbps = 20, UpMbps = 10, DelayMs = 10 },
                new("twin-b") { DownMbps = 20, UpMbps = 10, DelayMs = 10, MtuBytes = 1400 },
            ],
        });
        await using CaptivePortal portal = await CaptivePortal.OpenAsync(lab.Wans["portal"]);
        LabWan a = lab.Wans["twin-a"], b = lab.Wans["twin-b"];

        // Two cables into one router that has one MAC on both, a modem that copied the other's, a range of the LAN, and a shaper.
        await b.Isp.ConfigureAsync($"link set dev {NetworkLab.IspWanInterface} address 02:61:67:6c:{a.Number:x2}:01\n");
        await lab.Gateway.ConfigureAsync($"link set dev {b.Interface} address 02:61:67:6c:{a.Number:x2}:02\n");
        await lab.Gateway.ConfigureAsync($"address add 192.168.77.129/25 dev {b.Interface}\n");
        await lab.Gateway.OutputAsync("tc", "qdisc", "add", "dev", a.Interface, "root", "tbf", "rate", "5mbit", "burst", "32kbit", "latency", "400ms");

        await using AggregatorUnderTest product = await AggregatorUnderTest.PrepareAsync(lab, new ProductSettings { Carrier = "trunk", EgressAllow = WithLines });

        // A firewall of the VPS's owner, which translates before ours does.
        await lab.Vps.OutputAsync("nft", "add table ip own; add chain ip own post { type nat hook postrouting priority 90; }; add rule ip own post iifname \"aggv*\" masquerade fully-random");
        await product.StartVpsAsync();
        await product.PairAsync();
        product.StartGateway();
        // The daemon sees the portal by itself, and holds the link back.
        await product.WaitForStatusAsync(
            s => s.GetProperty("node").GetProperty("state").GetString() == "connected"
                && s.GetProperty("links").EnumerateArray().All(l => l.GetProperty("name").GetString() == "portal" || l.GetProperty("state").GetString() == "up"),
            "every other link up",
            TimeSpan.FromSeconds(60));
        await WaitForPacketsAsync(product);
        var checks = await DoctorAsync(product);
        Expect(checks, "vps-nat", "warn", "a symmetric NAT: seen as");
        Expect(checks, "packet-loss", "warn", "lossy loses");
        Expect(checks, "mptcp", "warn", "stripped: MPTCP is stripped");
        checks["mptcp"].Finding.ShouldContain("fibre: MPTCPv1");
        Expect(checks, "nat", "warn", "symmetric: symmetric NAT");
        Expect(checks, "mtu", "warn", "narrow: MTU 1400: longer packets do not get through");
        Expect(checks, "mtu", "warn", "twin-b: MTU 1400, less than");
        Expect(checks, "captive-portal", "fail", "portal: a captive portal");
        Expect(checks, "same-upstream", "warn", "twin-a and twin-b are behind the same upstream");
        Expect(checks, "private-ranges", "fail", "twin-b is in 192.168.77.128/25");
        checks["private-ranges"].Remedy.ShouldNotBeNull().ShouldContain("172.16.");
        Expect(checks, "duplicate-mac", "fail", $"{a.Interface}, {b.Interface} have the same MAC");
        Expect(checks, "shaping", "warn", "twin-a: tbf on");
        foreach (string healthy in (string[])["daemon", "vps", "versions", "clock", "kernel", "lan", "listeners"])
        {
            checks[healthy].Result.ShouldBe("ok", checks[healthy].Finding);
        }
    }

    [SkippableFact]
    public async Task Without_a_daemon_it_looks_all_the_same()
    {
        await using NetworkLab lab = await LabTest.CreateAsync(new LabSpec { Wans = [.. Scene.TwoWans] });
        await using AggregatorUnderTest product = await AggregatorUnderTest.PrepareAsync(lab);
        var unpaired = await DoctorAsync(product);
        unpaired["daemon"].Result.ShouldBe("fail");
        unpaired["vps"].Result.ShouldBe("fail");
        unpaired["vps"].Finding.ShouldContain("not paired");
        unpaired["links"].Result.ShouldBe("ok", unpaired["links"].Finding);

        await product.StartVpsAsync();
        await product.PairAsync();
        string before = await HostPicture.ReadAsync(lab.Gateway);
        var paired = await DoctorAsync(product);
        paired["daemon"].Result.ShouldBe("fail");
        paired["vps"].Result.ShouldBe("ok", paired["vps"].Finding);
        paired["links"].Result.ShouldBe("ok", paired["links"].Finding);
        paired["mtu"].Finding.ShouldContain("fibre: 1500");
        paired["nat"].Finding.ShouldContain("fibre: no NAT");
        paired["mptcp"].Result.ShouldBe("ok");
        (await HostPicture.ReadAsync(lab.Gateway)).ShouldBe(before, "doctor changes nothing");
    }

    /// <summary>The lab's lines have private addresses, which the VPS refuses to write to unless it is told not to.</summary>
    private static string[] WithLines { get; } = [.. new ProductSettings().EgressAllow, "10.11.0.0/16", "10.12.0.0/16"];

    private static Task WaitForPacketsAsync(AggregatorUnderTest product) => product.WaitForStatusAsync(
        s => s.GetProperty("packets") is { ValueKind: JsonValueKind.Object } p && p.GetProperty("state").GetString() == "on", "packets", TimeSpan.FromSeconds(60));

    private static LinkSettings Narrow { get; } = new() { RateMbps = 20, Delay = TimeSpan.FromMilliseconds(10), MtuBytes = 1400 };

    private static void Expect(IReadOnlyDictionary<string, Check> checks, string id, string result, string text)
    {
        checks[id].Finding.ShouldContain(text);
        checks[id].Result.ShouldBe(result);
        checks[id].Remedy.ShouldNotBeNullOrWhiteSpace();
    }

    private async Task<Dictionary<string, Check>> DoctorAsync(AggregatorUnderTest product)
    {
        long began = Stopwatch.GetTimestamp();
        ToolResult result = await product.GatewayCommandAsync("doctor", "--json");
        TimeSpan took = Stopwatch.GetElapsedTime(began);
        using var document = JsonDocument.Parse(result.OutputOrThrow());
        var checks = document.RootElement.GetProperty("checks").EnumerateArray()
            .Select(c => new Check(
                c.GetProperty("id").GetString()!,
                c.GetProperty("title").GetString()!,
                c.GetProperty("result").GetString()!,
                c.GetProperty("finding").GetString()!,
                c.GetProperty("remedy").GetString()))
            .ToDictionary(c => c.Id);
        foreach (Check check in checks.Values)
        {
            output.WriteLine($"{check.Result,-4} {check.Id}: {check.Finding}{(check.Remedy is null ? "" : $"\n       -> {check.Remedy}")}");
        }

        output.WriteLine(result.Output);
        output.WriteLine($"after {took.TotalSeconds:0.0} s");
        took.ShouldBeLessThan(Limit);
        checks.Values.ShouldAllBe(c => c.Title.Length > 0 && c.Finding.Length > 0);
        return checks;
    }

    private sealed record Check(string Id, string Title, string Result, string Finding, string? Remedy);
}
