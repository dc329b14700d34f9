using System.Net;
using System.Net.NetworkInformation;
using Aggregator.DnsWire;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Doctor;
using Aggregator.Gateway.Doctor.Checks;
using Aggregator.Gateway.Links;
using Aggregator.Netlink;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Doctor;

/// <summary>The judgements about this host.</summary>
public sealed class HostCheckTests
{
    private static readonly IPNetwork Lan = IPNetwork.Parse("192.168.1.0/24");

    [Fact]
    public void A_wan_in_the_lans_range_is_named_with_a_range_that_is_free()
    {
        var links = new LinkSnapshot { Links = [Some.Link("dsl", "192.168.1.7"), Some.Link("lte", "10.0.0.2")], LocalNetworks = [Lan] };
        var finding = PrivateRangesCheck.Decide(links, [], [Lan, IPNetwork.Parse("172.16.0.0/16"), IPNetwork.Parse("0.0.0.0/0")]);
        finding.Result.ShouldBe(CheckResult.Fail);
        finding.Text.ShouldContain("dsl is in 192.168.1.0/24");
        finding.Text.ShouldNotContain("lte");
        finding.Remedy!.ShouldContain("172.17.77.0/24");
    }

    [Fact]
    public void A_vps_in_the_lans_range_is_named()
    {
        var links = new LinkSnapshot { Links = [Some.Link("dsl", "10.0.0.2")], LocalNetworks = [Lan] };
        PrivateRangesCheck.Decide(links, [new IPEndPoint(IPAddress.Parse("192.168.1.200"), 7443)], []).Text.ShouldContain("the VPS's address 192.168.1.200");
        PrivateRangesCheck.Decide(links, [new IPEndPoint(IPAddress.Parse("198.51.100.2"), 7443)], []).Result.ShouldBe(CheckResult.Ok);
    }

    [Fact]
    public void A_suggested_range_overlaps_nothing() => Prop.ForAll(
        Gen.ListOf(Gen.Choose(0, 15).SelectMany(second => Gen.Choose(12, 30).Select(length => Networks.Of(new IPAddress([172, (byte)(16 + second), 77, 0]), length)))).ToArbitrary(),
        taken => PrivateRangesCheck.Free([.. taken]) is not { } free
            ? Enumerable.Range(16, 16).All(second => taken.Any(t => t.Contains(new IPAddress([172, (byte)second, 77, 0]))))
            : IPNetwork.Parse("172.16.0.0/12").Contains(free.BaseAddress) && taken.All(t => !PrivateRangesCheck.Overlap(t, free))).QuickCheckThrowOnFailure();

    [Fact]
    public void Two_macs_alike_are_named_and_a_vlans_is_none()
    {
        var finding = DuplicateMacCheck.Decide([Some.Interface("wan1", "020000000001"), Some.Interface("wan2", "020000000001"), Some.Interface("wan3", "020000000003")], new HostView());
        finding.Result.ShouldBe(CheckResult.Fail);
        finding.Text.ShouldBe("wan1, wan2 have the same MAC address 02:00:00:00:00:01");
        DuplicateMacCheck.Decide([Some.Interface("eth0", "020000000001"), Some.Interface("eth0.7", "020000000001", kind: "vlan")], new HostView()).Result.ShouldBe(CheckResult.Ok);
        DuplicateMacCheck.Decide([Some.Interface("tun0", "000000000000"), Some.Interface("tun1", "000000000000")], new HostView()).Result.ShouldBe(CheckResult.Ok);
    }

    [Fact]
    public void A_neighbour_with_our_own_mac_is_named()
    {
        var own = Some.Interface("wan1", "020000000001", index: 4);
        var host = new HostView { Neighbours = [new NeighbourInfo(4, IPAddress.Parse("10.0.0.1"), own.Mac)] };
        DuplicateMacCheck.Decide([own], host).Text.ShouldContain("10.0.0.1 on wan1");
    }

    [Fact]
    public void A_common_upstream_shows_by_gateway_subnet_or_public_address()
    {
        var mac = PhysicalAddress.Parse("020000000009");
        Upstream Of(string name, string address, PhysicalAddress? gateway = null, string? seen = null) =>
            new(Some.Link(name, address), gateway ?? PhysicalAddress.None, seen is null ? null : IPAddress.Parse(seen));
        SameUpstreamCheck.Decide([Of("a", "10.0.1.2", mac), Of("b", "10.0.2.2", mac)]).Text.ShouldContain("one MAC address, 02:00:00:00:00:09");
        SameUpstreamCheck.Decide([Of("a", "10.0.1.2"), Of("b", "10.0.1.3")]).Text.ShouldContain("both are in 10.0.1.0/24");
        SameUpstreamCheck.Decide([Of("a", "10.0.1.2", seen: "203.0.113.9"), Of("b", "10.0.2.2", seen: "203.0.113.9")]).Text.ShouldContain("the VPS sees both as 203.0.113.9");
        SameUpstreamCheck.Decide([Of("a", "10.0.1.2", seen: "203.0.113.9"), Of("b", "10.0.2.2", seen: "203.0.113.8")]).Result.ShouldBe(CheckResult.Ok);
        SameUpstreamCheck.Decide([Of("a", "10.0.1.2")]).Result.ShouldBe(CheckResult.Skip);
    }

    [Theory]
    [InlineData(true, true, true, true, true, CheckResult.Ok)]
    [InlineData(true, true, true, true, false, CheckResult.Warn)]
    [InlineData(true, true, false, true, true, CheckResult.Warn)]
    [InlineData(true, true, true, false, false, CheckResult.Warn)]
    [InlineData(true, false, false, false, false, CheckResult.Ok)]
    [InlineData(false, true, false, true, false, CheckResult.Ok)]
    public void Lan_traffic_that_leaves_directly_is_told(bool lan, bool forwards, bool transparent, bool running, bool packets, object result) =>
        DefaultRoutesCheck.Decide([], lan, forwards, transparent, running, packets).Result.ShouldBe((CheckResult)result);

    [Fact]
    public void A_default_route_outside_the_wans_is_named() =>
        DefaultRoutesCheck.Decide(["tun9"], false, false, true, true, true).ShouldSatisfyAllConditions(
            f => f.Result.ShouldBe(CheckResult.Warn), f => f.Text.ShouldContain("tun9"));

    [Fact]
    public void Shapers_are_found_and_compared_with_the_line()
    {
        var host = new HostView
        {
            Interfaces = [Some.Interface("wan1", "020000000001", index: 3)],
            Qdiscs =
            [
                new QdiscInfo { InterfaceIndex = 3, Kind = "htb" },
                new QdiscInfo { InterfaceIndex = 3, Kind = "htb", BytesPerSecond = 125_000 },
                new QdiscInfo { InterfaceIndex = 3, Kind = "htb", BytesPerSecond = 1_250_000 },
                new QdiscInfo { InterfaceIndex = 3, Kind = "fq_codel" },
                new QdiscInfo { InterfaceIndex = 99, Kind = "tbf", BytesPerSecond = 1 },
            ],
        };
        var shaper = ShapingCheck.Shapers(host).ShouldHaveSingleItem();
        shaper.ShouldBe(new Shaper("wan1", "htb", 10));
        ShapingCheck.Decide("dsl", shaper, null).Result.ShouldBe(CheckResult.Warn);
        ShapingCheck.Decide("dsl", shaper, 9.5).Text.ShouldContain("this is what limits it");
        ShapingCheck.Decide("dsl", shaper, 4).Result.ShouldBe(CheckResult.Ok);
    }

    [Fact]
    public void Wi_fi_is_read_as_the_kernel_writes_it()
    {
        const string Text = """
            Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE
             face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22
             wlan0: 0000   48.  -62.  -256        0      0      0      7     12        0
              wlan1: 0000   20  -84.  -256        0      0      0      0      0        0
            wlan2: 0000   20  0  0        0      0      0      0      0        0
            """;
        var signals = WifiCheck.Parse(Text).ToArray();
        signals.Select(s => (s.Interface, s.SignalDbm)).ShouldBe([("wlan0", -62), ("wlan1", -84), ("wlan2", null)]);
        WifiCheck.Decide(Some.Link("train"), signals[0]).Result.ShouldBe(CheckResult.Ok);
        WifiCheck.Decide(Some.Link("train"), signals[1]).Result.ShouldBe(CheckResult.Fail);
        WifiCheck.Decide(Some.Link("train"), signals[2]).Result.ShouldBe(CheckResult.Skip);
        WifiCheck.Decide(Some.Link("train"), null).Result.ShouldBe(CheckResult.Skip);
    }

    [Fact]
    public async Task A_wi_fi_is_found_below_the_root_that_is_given()
    {
        string root = Directory.CreateTempSubdirectory("aggregator-doctor-").FullName;
        try
        {
            Directory.CreateDirectory(Path.Combine(root, "proc/net"));
            await File.WriteAllTextAsync(Path.Combine(root, "proc/net/wireless"), "if-train: 0000 40. -75. -256 0 0 0 0 0 0\n");
            var finding = await new WifiCheck().RunAsync(Some.Context(files: new HostFiles(root), links: [Some.Link("train"), Some.Link("dsl")]), default);
            finding.Result.ShouldBe(CheckResult.Warn);
            finding.Text.ShouldBe("train receives its access point with -75 dBm (quality 40)");
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    [Fact]
    public void Text_files_of_any_content_are_taken() => Prop.ForAll<NonNull<string>>(text =>
    {
        WifiCheck.Parse(text.Get).ToArray().ShouldAllBe(s => s.SignalDbm == null || s.SignalDbm < 0);
        ResolvConf.Servers(text.Get).Count.ShouldBeLessThanOrEqualTo(16);
        KernelCheck.Capabilities(text.Get);
        KernelCheck.ReleaseOf(text.Get);
        WifiCheck.Parse($"w: {text.Get}").ToArray().ShouldNotBeNull();
        ResolvConf.Servers($"nameserver {text.Get}").ShouldNotBeNull();
        KernelCheck.Capabilities($"CapEff: {text.Get}");
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Name_servers_are_told_with_their_way()
    {
        ResolvConf.Servers("# x\nnameserver 9.9.9.9\n nameserver   fe80::1%2\nnameserver nine\nsearch a\n").Select(a => a.ToString().Split('%')[0]).ShouldBe(["9.9.9.9", "fe80::1"]);
        var dsl = Some.Link("dsl", "10.0.0.2");
        var down = Some.Link("lte", "10.0.1.2", state: LinkState.Down);
        var host = new HostView
        {
            Routes =
            [
                RouteInfo.Unicast(RouteInfo.AnyIPv4, null, down.Index, RouteTables.Main, 4, priority: 200),
                RouteInfo.Unicast(RouteInfo.AnyIPv4, null, dsl.Index, RouteTables.Main, 4, priority: 100),
                RouteInfo.Unicast(IPNetwork.Parse("10.0.1.0/24"), null, down.Index, RouteTables.Main, 4),
            ],
        };
        var links = new LinkSnapshot { Links = [dsl, down] };
        DnsCheck.WayTo(IPAddress.Parse("9.9.9.9"), host, links).ShouldBe(dsl);
        DnsCheck.WayTo(IPAddress.Parse("10.0.1.1"), host, links).ShouldBe(down);
        DnsCheck.WayTo(IPAddress.Loopback, host, links).ShouldBeNull();
        DnsCheck.Decide([(IPAddress.Parse("10.0.1.1"), down)], false, true, null).Result.ShouldBe(CheckResult.Warn);
        DnsCheck.Decide([(IPAddress.Parse("9.9.9.9"), dsl), (IPAddress.Parse("10.0.1.1"), down)], false, true, null).Result.ShouldBe(CheckResult.Ok);
        DnsCheck.Decide([], true, false, "vps.test: the name is not known").Result.ShouldBe(CheckResult.Fail);
    }

    [Fact]
    public void The_LANs_name_server_is_judged_by_its_last_question()
    {
        DnsCheck.Answering(null).Result.ShouldBe(CheckResult.Warn);
        var status = new Aggregator.Protocol.V1.DnsStatus();
        status.Listen.Add("192.168.77.1:53");
        DnsCheck.Answering(status).Text.ShouldContain("nobody has asked it yet");
        (status.AnsweredVps, status.Failed) = (3, 1);
        DnsCheck.Answering(status).Result.ShouldBe(CheckResult.Ok);
        status.Problem = "no VPS is reached";
        DnsCheck.Answering(status).ShouldSatisfyAllConditions(f => f.Result.ShouldBe(CheckResult.Warn), f => f.Text.ShouldContain("no VPS is reached"));
    }

    [Fact]
    public void Kernel_and_rights_are_judged_by_what_the_daemon_sets()
    {
        var good = new KernelFacts("6.18.2", true, 0, 8, ulong.MaxValue);
        KernelCheck.Decide(good, 4, true).Result.ShouldBe(CheckResult.Ok);
        KernelCheck.Decide(good with { MptcpEnabled = null }, 4, true).Result.ShouldBe(CheckResult.Fail);
        KernelCheck.Decide(good with { MptcpEnabled = false }, 4, true).Result.ShouldBe(CheckResult.Fail);
        KernelCheck.Decide(good with { BlackholeTimeout = 3600 }, 4, true).Result.ShouldBe(CheckResult.Warn);
        KernelCheck.Decide(good with { BlackholeTimeout = 3600, SubflowLimit = 2 }, 4, false).Result.ShouldBe(CheckResult.Ok);
        KernelCheck.Decide(good with { SubflowLimit = 2 }, 4, true).Result.ShouldBe(CheckResult.Warn);
        KernelCheck.Decide(good with { Release = "5.10.0-8-amd64" }, 4, true).Result.ShouldBe(CheckResult.Warn);
        KernelCheck.Decide(good with { Capabilities = 1UL << 12 }, 4, true).Text.ShouldContain("CAP_NET_RAW");
        KernelCheck.Capabilities("Name:\tx\nCapEff:\t000001ffffffffff\n").ShouldBe(0x1ffffffffffUL);
    }

    [Fact]
    public void Files_open_to_others_are_named()
    {
        const UnixFileMode Mine = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        FilesCheck.State("/s/key", Mine).ShouldBeNull();
        FilesCheck.State("/s/key", Mine | UnixFileMode.GroupRead)!.Text.ShouldContain("mode 0640");
        FilesCheck.Configuration("/c", Mine | UnixFileMode.OtherRead, passwords: false).ShouldBeNull();
        FilesCheck.Configuration("/c", Mine | UnixFileMode.OtherRead, passwords: true)!.Result.ShouldBe(CheckResult.Warn);
        FilesCheck.Configuration("/c", Mine | UnixFileMode.OtherWrite, passwords: false)!.Result.ShouldBe(CheckResult.Fail);
    }

    [Theory]
    [InlineData(10L, 100L, CheckResult.Ok)]
    [InlineData(75L, 100L, CheckResult.Warn)]
    [InlineData(95L, 100L, CheckResult.Fail)]
    [InlineData(null, 100L, CheckResult.Skip)]
    [InlineData(5L, 0L, CheckResult.Skip)]
    public void Connection_tracking_near_its_limit_is_told(long? used, long? most, object result) => ConntrackCheck.Decide(used, most).Result.ShouldBe((CheckResult)result);

    [Fact]
    public void Room_lan_and_forwarding_are_judged()
    {
        DiskCheck.Decide("/s", 500_000).Result.ShouldBe(CheckResult.Fail);
        DiskCheck.Decide("/s", 5_000_000).Result.ShouldBe(CheckResult.Warn);
        DiskCheck.Decide("/s", 5_000_000_000).Result.ShouldBe(CheckResult.Ok);
        var up = Some.Interface("lan0", "020000000001") with { Flags = LinkFlags.Up, Carrier = true };
        LanCheck.Decide("lan0", null, []).Result.ShouldBe(CheckResult.Fail);
        LanCheck.Decide("lan0", up with { Carrier = false }, [IPAddress.Loopback]).Result.ShouldBe(CheckResult.Fail);
        LanCheck.Decide("lan0", up, []).Result.ShouldBe(CheckResult.Fail);
        LanCheck.Decide("lan0", up, [IPAddress.Parse("192.168.77.1")]).Result.ShouldBe(CheckResult.Ok);
        ForwardingCheck.Decide(true, 0).Result.ShouldBe(CheckResult.Warn);
        ForwardingCheck.Decide(true, null).Result.ShouldBe(CheckResult.Skip);
        ForwardingCheck.Decide(false, 0).Result.ShouldBe(CheckResult.Skip);
    }
}
