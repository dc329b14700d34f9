using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.RegularExpressions;
using Aggregator.Interop;
using Aggregator.Netlink;
using Aggregator.Processes;
using Shouldly;
using Xunit;

namespace Aggregator.Network.Tests.Netlink;

/// <summary>rtnetlink against a real kernel; what `ip -j` says is the measure.</summary>
public sealed class RouteSocketTests
{
    private const byte Ours = 201;

    [SkippableFact]
    public async Task Links_and_addresses_are_those_that_ip_reports()
    {
        await using TestNamespace left = await TestNamespace.CreateAsync();
        await using TestNamespace right = await TestNamespace.CreateAsync();
        using RouteMonitor monitor = left.Run(() => RouteMonitor.Open(RouteEvents.Links));
        await left.ConnectAsync(right, "wan1", ["10.7.1.1/24", "10.7.1.9/24", "fd07:1::1/64"], ["10.7.1.2/24", "fd07:1::2/64"]);
        await monitor.WaitForAsync<NetlinkEvent.LinkChanged>(e => e.Link.Name == "wan1" && e.Link.State == OperationalState.Up);
        await right.IpAsync("link set wan1 down");
        await monitor.WaitForAsync<NetlinkEvent.LinkChanged>(e => e.Link.Name == "wan1" && e.Link.State != OperationalState.Up);
        using RouteSocket socket = left.Run(RouteSocket.Open);

        List<LinkInfo> links = await socket.LinksAsync();
        JsonElement[] expected = await left.IpJsonAsync("link show");
        links.Count.ShouldBe(expected.Length);
        foreach (JsonElement e in expected)
        {
            LinkInfo link = links.Single(l => l.Index == e.GetProperty("ifindex").GetInt32());
            link.Name.ShouldBe(e.GetProperty("ifname").GetString());
            link.Mtu.ShouldBe(e.GetProperty("mtu").GetInt32());
            Convert.ToHexString(link.Mac.GetAddressBytes()).ShouldBe(e.GetProperty("address").GetString()!.Replace(":", "").ToUpperInvariant());
            string[] flags = [.. e.GetProperty("flags").EnumerateArray().Select(f => f.GetString()!)];
            link.Flags.HasFlag(LinkFlags.Up).ShouldBe(flags.Contains("UP"));
            link.IsLoopback.ShouldBe(flags.Contains("LOOPBACK"));
            link.Carrier.ShouldBe(!flags.Contains("NO-CARRIER"));
        }

        LinkInfo wan = links.Single(l => l.Name == "wan1");
        wan.Kind.ShouldBe("veth");
        wan.Carrier.ShouldBeFalse();
        wan.State.ShouldBeOneOf(OperationalState.LowerLayerDown, OperationalState.Down);
        wan.IsUsable.ShouldBeFalse();

        List<AddressInfo> addresses = await socket.AddressesAsync();
        string[] shown = [.. (await left.IpJsonAsync("address show")).SelectMany(link => link.GetProperty("addr_info").EnumerateArray()
            .Select(a => $"{link.GetProperty("ifindex")} {a.GetProperty("local").GetString()}/{a.GetProperty("prefixlen")} {a.GetProperty("scope").GetString()}"))];
        addresses.Select(a => $"{a.InterfaceIndex} {new IPAddress(a.Address.GetAddressBytes())}/{a.PrefixLength} {(int)a.Scope}")
            .ShouldBe(shown, ignoreOrder: true);
        addresses.Single(a => a.Address.Equals(IPAddress.Parse("10.7.1.9"))).Flags.ShouldBe(AddressFlags.Secondary | AddressFlags.Permanent);
        addresses.Single(a => a.Address.Equals(IPAddress.Parse("10.7.1.9"))).IsTemporary.ShouldBeFalse();
    }

    [SkippableFact]
    public async Task Counters_and_carrier_follow_the_traffic()
    {
        await using TestNamespace left = await TestNamespace.CreateAsync();
        await using TestNamespace right = await TestNamespace.CreateAsync();
        await left.ConnectAsync(right, "wan1", ["10.7.1.1/24"], ["10.7.1.2/24"]);
        using RouteSocket socket = left.Run(RouteSocket.Open);
        LinkCounters before = (await socket.LinksAsync()).Single(l => l.Name == "wan1").Counters;

        using Socket udp = left.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp));
        using Socket sink = right.Run(() =>
        {
            var s = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
            s.Bind(new IPEndPoint(IPAddress.Parse("10.7.1.2"), 9000));
            return s;
        });
        byte[] payload = new byte[1000];
        udp.SendTo(payload, new IPEndPoint(IPAddress.Parse("10.7.1.2"), 9000));
        sink.ReceiveTimeout = 5000;
        sink.Receive(payload).ShouldBe(1000);

        LinkInfo wan = (await socket.LinksAsync()).Single(l => l.Name == "wan1");
        wan.IsUsable.ShouldBeTrue();
        wan.Counters.TxBytes.ShouldBeGreaterThanOrEqualTo(before.TxBytes + 1000);
        wan.Counters.TxPackets.ShouldBeGreaterThan(before.TxPackets);
    }

    public static TheoryData<string> Routes => new(RouteCases.Keys);

    [SkippableTheory]
    [MemberData(nameof(Routes))]
    public async Task A_route_is_added_dumped_alike_shown_by_ip_and_deleted(string name)
    {
        await using TestNamespace left = await TestNamespace.CreateAsync();
        await using TestNamespace right = await TestNamespace.CreateAsync();
        await left.ConnectAsync(right, "wan1", ["10.7.1.1/24", "fd07:1::1/64"], ["10.7.1.2/24", "fd07:1::2/64"]);
        await left.ConnectAsync(right, "wan2", ["10.7.2.1/24", "fd07:2::1/64"], ["10.7.2.2/24", "fd07:2::2/64"]);
        using RouteSocket socket = left.Run(RouteSocket.Open);
        List<LinkInfo> links = await socket.LinksAsync();
        RouteInfo route = RouteCases[name](links.Single(l => l.Name == "wan1").Index, links.Single(l => l.Name == "wan2").Index);
        string[] before = await ShowAsync(left, route);

        (await socket.AddRouteAsync(route)).ToString().ShouldBe("ok");
        (await socket.RoutesAsync(route.Family)).ShouldContain(route);
        string[] after = await ShowAsync(left, route);
        after.Length.ShouldBe(before.Length + 1);
        string line = after.Except(before).Single();
        line.ShouldContain(route.IsDefault ? "default" : route.Destination.ToString());
        if (route.Gateway is not null)
        {
            line.ShouldContain(route.Gateway.ToString());
        }

        (await socket.AddRouteAsync(route)).IsAlreadyThere.ShouldBeTrue();
        (await socket.ReplaceRouteAsync(route)).IsSuccess.ShouldBeTrue();
        (await ShowAsync(left, route)).ShouldBe(after);

        // The dumped form deletes as well as the wanted one.
        RouteInfo dumped = (await socket.RoutesAsync(route.Family)).Single(r => r.Equals(route));
        (await socket.DeleteRouteAsync(dumped)).ToString().ShouldBe("ok");
        (await ShowAsync(left, route)).ShouldBe(before);
        NetlinkResult again = await socket.DeleteRouteAsync(route);
        again.IsNotThere.ShouldBeTrue(again.ToString());
    }

    private static readonly Dictionary<string, Func<int, int, RouteInfo>> RouteCases = new()
    {
        ["IPv4 default by gateway"] = (wan1, _) => RouteInfo.Unicast(RouteInfo.AnyIPv4, IPAddress.Parse("10.7.1.2"), wan1, 7001, Ours),
        ["IPv4 default, onlink gateway"] = (wan1, _) => RouteInfo.Unicast(RouteInfo.AnyIPv4, IPAddress.Parse("192.0.2.1"), wan1, 7001, Ours, onlink: true),
        ["IPv4 on link"] = (wan1, _) => RouteInfo.Unicast(IPNetwork.Parse("10.9.0.0/17"), null, wan1, 77, Ours, priority: 5),
        ["IPv4 with source"] = (wan1, _) => RouteInfo.Unicast(IPNetwork.Parse("10.9.0.0/17"), IPAddress.Parse("10.7.1.2"), wan1, RouteTables.Main, Ours) with { PreferredSource = IPAddress.Parse("10.7.1.1") },
        ["IPv4 via IPv6"] = (wan1, _) => RouteInfo.Unicast(RouteInfo.AnyIPv4, IPAddress.Parse("fd07:1::2"), wan1, 7001, Ours),
        ["IPv4 unreachable"] = (_, _) => RouteInfo.Unreachable(RouteInfo.AnyIPv4, 7001, Ours, priority: 4_000_000),
        ["IPv4 local default"] = (_, _) => RouteInfo.LocalDefault(AddressFamily.InterNetwork, 7002, Ours),
        ["IPv4 multipath"] = (wan1, wan2) => new RouteInfo
        {
            Destination = RouteInfo.AnyIPv4,
            Table = 7001,
            Protocol = Ours,
            NextHops = [new RouteNextHop(IPAddress.Parse("10.7.1.2"), wan1, 3), new RouteNextHop(IPAddress.Parse("10.7.2.2"), wan2, 1)],
        },
        ["IPv6 default by gateway"] = (wan1, _) => RouteInfo.Unicast(RouteInfo.AnyIPv6, IPAddress.Parse("fd07:1::2"), wan1, 7001, Ours),
        ["IPv6 default by link-local gateway"] = (wan1, _) => RouteInfo.Unicast(RouteInfo.AnyIPv6, IPAddress.Parse("fe80::1%" + wan1), wan1, 7001, Ours, priority: 7),
        ["IPv6 on link"] = (wan1, _) => RouteInfo.Unicast(IPNetwork.Parse("fd09::/33"), null, wan1, 77, Ours),
        ["IPv6 unreachable"] = (_, _) => RouteInfo.Unreachable(RouteInfo.AnyIPv6, 7001, Ours),
        ["IPv6 local default"] = (_, _) => RouteInfo.LocalDefault(AddressFamily.InterNetworkV6, 7002, Ours),
        ["IPv6 multipath"] = (wan1, wan2) => new RouteInfo
        {
            Destination = RouteInfo.AnyIPv6,
            Table = 7001,
            Protocol = Ours,
            Priority = RouteInfo.DefaultIPv6Priority,
            NextHops = [new RouteNextHop(IPAddress.Parse("fd07:1::2"), wan1, 1), new RouteNextHop(IPAddress.Parse("fd07:2::2"), wan2, 2)],
        },
    };

    public static TheoryData<string> Rules => new(RuleCases.Keys);

    [SkippableTheory]
    [MemberData(nameof(Rules))]
    public async Task A_rule_is_added_dumped_alike_and_deleted(string name)
    {
        await using TestNamespace space = await TestNamespace.CreateAsync();
        using RouteSocket socket = space.Run(RouteSocket.Open);
        RuleInfo rule = RuleCases[name];
        string family = rule.Family == AddressFamily.InterNetwork ? "-4 " : "-6 ";
        string before = await space.IpAsync(family + "rule show");
        List<RuleInfo> dumpBefore = await socket.RulesAsync(rule.Family);
        dumpBefore.Select(r => r.Priority).ShouldBe((await space.IpJsonAsync(family + "rule show")).Select(e => e.GetProperty("priority").GetUInt32()));

        (await socket.AddRuleAsync(rule)).ToString().ShouldBe("ok");
        (await socket.RulesAsync(rule.Family)).ShouldContain(rule);
        JsonElement shown = (await space.IpJsonAsync(family + "rule show")).Single(e => e.GetProperty("priority").GetUInt32() == rule.Priority);
        if (rule.Action == RuleAction.ToTable)
        {
            shown.GetProperty("table").GetString().ShouldBe(rule.Table.ToString());
        }

        if (rule.Source is { } source)
        {
            shown.GetProperty("src").GetString().ShouldBe(source.BaseAddress.ToString());
        }

        if (rule.FirewallMask != 0)
        {
            Convert.ToUInt32(shown.GetProperty("fwmark").GetString(), 16).ShouldBe(rule.FirewallMark);
        }

        (await socket.AddRuleAsync(rule)).IsAlreadyThere.ShouldBeTrue();
        (await socket.DeleteRuleAsync(rule)).ToString().ShouldBe("ok");
        (await socket.DeleteRuleAsync(rule)).IsNotThere.ShouldBeTrue();
        (await space.IpAsync(family + "rule show")).ShouldBe(before);
        (await socket.RulesAsync(rule.Family)).ShouldBe(dumpBefore);
    }

    private static readonly Dictionary<string, RuleInfo> RuleCases = new()
    {
        ["source"] = new() { Family = AddressFamily.InterNetwork, Priority = 1000, Table = 7001, Source = IPNetwork.Parse("10.7.1.1/32"), Protocol = Ours },
        ["source IPv6"] = new() { Family = AddressFamily.InterNetworkV6, Priority = 1000, Table = 7001, Source = IPNetwork.Parse("fd07:1::/64"), Protocol = Ours },
        ["mark and mask"] = new() { Family = AddressFamily.InterNetwork, Priority = 1001, Table = 100, FirewallMark = 0x100, FirewallMask = 0xff00, Protocol = Ours },
        ["mark IPv6"] = new() { Family = AddressFamily.InterNetworkV6, Priority = 1001, Table = 100, FirewallMark = 0x100, FirewallMask = uint.MaxValue, Protocol = Ours },
        ["interfaces"] = new() { Family = AddressFamily.InterNetwork, Priority = 1002, Table = 7001, InputInterface = "lan0", OutputInterface = "wan1", Protocol = Ours },
        ["destination, inverted"] = new() { Family = AddressFamily.InterNetwork, Priority = 1003, Table = 7001, Destination = IPNetwork.Parse("192.168.0.0/16"), Inverted = true, Protocol = Ours },
        ["main without defaults"] = new() { Family = AddressFamily.InterNetwork, Priority = 1004, Table = 7001, SuppressPrefixLength = 0, Protocol = Ours },
        ["unreachable"] = new() { Family = AddressFamily.InterNetworkV6, Priority = 1005, Action = RuleAction.Unreachable, FirewallMark = 7, FirewallMask = 7, Protocol = Ours },
        ["goto"] = new() { Family = AddressFamily.InterNetwork, Priority = 1006, Action = RuleAction.GoTo, GoToPriority = 32766, Protocol = Ours },
        ["tcp only"] = new() { Family = AddressFamily.InterNetwork, Priority = 1007, Table = 7001, IpProtocol = 6, Protocol = Ours },
    };

    [SkippableFact]
    public async Task A_refusal_carries_errno_and_the_kernels_words()
    {
        await using TestNamespace space = await TestNamespace.CreateAsync();
        using RouteSocket socket = space.Run(RouteSocket.Open);

        NetlinkResult result = await socket.AddRouteAsync(
            RouteInfo.Unicast(RouteInfo.AnyIPv4, IPAddress.Parse("203.0.113.1"), RouteInfo.LoopbackIndex, RouteTables.Main, Ours));

        result.Errno.ShouldBe(Libc.ENETUNREACH);
        result.Text.ShouldBe("Nexthop has invalid gateway");
    }

    [SkippableFact]
    public async Task A_large_table_is_dumped_whole()
    {
        await using TestNamespace space = await TestNamespace.CreateAsync();
        using RouteSocket socket = space.Run(RouteSocket.Open);
        const int Count = 3000;
        for (int i = 0; i < Count; i++)
        {
            (await socket.AddRouteAsync(RouteInfo.Unreachable(Prefixes.Containing(new IPAddress([10, 100, (byte)(i >> 8), (byte)i]), 32), 7001, Ours)))
                .IsSuccess.ShouldBeTrue();
        }

        List<RouteInfo> routes = await socket.RoutesAsync(AddressFamily.InterNetwork);
        routes.Where(r => r.Table == 7001).Select(r => r.Destination).Distinct().Count().ShouldBe(Count);
        routes.Count(r => r.Table == 7001).ShouldBe(Count);
    }

    /// <summary>Addresses are dumped in parts, by their place in the list: a change between two parts would lose or double one.</summary>
    [SkippableFact]
    public async Task A_dump_that_a_change_interrupts_is_taken_again()
    {
        await using TestNamespace space = await TestNamespace.CreateAsync();
        using RouteSocket socket = space.Run(RouteSocket.Open);
        const int Count = 1500;
        string batch = string.Concat(Enumerable.Range(0, Count).Select(i => $"address add 10.99.{i / 250}.{i % 250}/32 dev lo\n"));
        (await Tool.RunAsync("ip", ["-n", space.Name, "-batch", "-"], batch)).OutputOrThrow();

        using var stop = new CancellationTokenSource();
        Task changes = Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                await space.IpAsync("address add 10.98.0.1/32 dev lo");
                await space.IpAsync("address delete 10.98.0.1/32 dev lo");
            }
        });
        try
        {
            using var patience = new CancellationTokenSource(Events.Patience);
            while (socket.RepeatedDumps == 0)
            {
                patience.Token.ThrowIfCancellationRequested();
                IPAddress[] found = [.. (await socket.AddressesAsync()).Select(a => a.Address).Where(a => a.ToString().StartsWith("10.99."))];
                (found.Length, found.Distinct().Count()).ShouldBe((Count, Count));
            }
        }
        finally
        {
            await stop.CancelAsync();
            await changes;
        }
    }

    /// <summary>Ours only and without flags (linkdown): both follow the carrier, which comes when it comes.</summary>
    private static async Task<string[]> ShowAsync(TestNamespace space, RouteInfo route)
    {
        string family = route.Family == AddressFamily.InterNetwork ? "-4" : "-6";
        return [.. (await space.IpJsonAsync($"{family} route show table all protocol {Ours}")).Select(e => Regex.Replace(e.ToString(), "\"flags\":\\[[^]]*\\]", ""))];
    }
}
