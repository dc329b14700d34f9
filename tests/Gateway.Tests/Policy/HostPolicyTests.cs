using System.Net;
using System.Net.Sockets;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Links;
using Aggregator.Gateway.Policy;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Policy;

public sealed class HostPolicyTests
{
    [Fact]
    public void Each_WAN_has_its_table_with_its_own_way_out()
    {
        var state = HostPolicy.Decide(Home.Input(Home.Up(Home.Links())));

        Home.Lines(state, "route").ShouldBe([
            "10.1.0.0/24 dev wan1 src 10.1.0.2 table 0xa600",
            "throw 172.20.0.0/16 table 0xa600",
            "throw 192.168.77.0/24 table 0xa600",
            "default via 10.1.0.1 dev wan1 src 10.1.0.2 table 0xa600",
            "-6 2001:db8:1::/64 dev wan1 table 0xa600",
            "-6 default via fe80::1 dev wan1 table 0xa600",
            "10.2.0.0/24 dev wan2 src 10.2.0.2 table 0xa601",
            "throw 172.20.0.0/16 table 0xa601",
            "throw 192.168.77.0/24 table 0xa601",
            "default via 10.2.0.1 dev wan2 src 10.2.0.2 table 0xa601",
            "unreachable default table 0xa6fe",
            "throw 172.20.0.0/16 table 0xa6fe",
            "throw 192.168.77.0/24 table 0xa6fe",
            "-6 unreachable default table 0xa6fe",
            "local default dev lo table 0xa6ff",
            "-6 local default dev lo table 0xa6ff",
        ]);
        Home.Lines(state, "rule").ShouldBe([
            "priority 10610 from 10.1.0.2 lookup 0xa600",
            "priority 10620 oif wan1 lookup 0xa600",
            "-6 priority 10610 from 2001:db8:1::2 lookup 0xa600",
            "-6 priority 10620 oif wan1 lookup 0xa600",
            "priority 10610 from 10.2.0.2 lookup 0xa601",
            "priority 10620 oif wan2 lookup 0xa601",
            "priority 10604 fwmark 0x10000/0xff0000 lookup 0xa600",
            "priority 10604 fwmark 0x20000/0xff0000 lookup 0xa601",
            "-6 priority 10604 fwmark 0x10000/0xff0000 lookup 0xa600",
            "-6 priority 10604 fwmark 0x20000/0xff0000 lookup 0xa6fe",
            "priority 10600 fwmark 0xa600/0xff00 iif lan0 lookup 0xa6ff",
            "-6 priority 10600 fwmark 0xa600/0xff00 iif lan0 lookup 0xa6ff",
        ]);
    }

    [Fact]
    public void Endpoints_follow_roles_and_health()
    {
        Endpoints(Home.Up(Home.Links())).ShouldBe([
            "10.1.0.2 dev wan1#3 subflow",
            "10.2.0.2 dev wan2#4 subflow backup",
            "2001:db8:1::2 dev wan1#3 subflow",
        ]);

        Endpoints(Home.Up(Home.Links(), "fibre")).ShouldBe(["10.2.0.2 dev wan2#4 subflow backup"]);

        var off = Home.Links(memory: LinkMemory.Empty with { Roles = LinkMemory.Empty.Roles.Add("lte", "off").Add("fibre", "backup") });
        Endpoints(Home.Up(off), AddressFamily.InterNetwork).ShouldBe(["10.1.0.2 dev wan1#3 subflow backup"]);
    }

    [Fact]
    public void A_link_under_test_gives_way_to_another_active_one_that_is_about_as_quick()
    {
        var roles = LinkMemory.Empty with { Roles = LinkMemory.Empty.Roles.Add("lte", "active") };
        var loads = new LinkLoads();
        loads.Know("wan2", 60);
        loads.Load("wan1", 10, 10);
        Loaded(roles).ShouldBe(["10.1.0.2 dev wan1#3 subflow backup", "10.2.0.2 dev wan2#4 subflow"]);

        // Slower than the load makes it: small requests would have to wait longer there.
        loads.Know("wan2", 80);
        Loaded(roles).ShouldBe(["10.1.0.2 dev wan1#3 subflow", "10.2.0.2 dev wan2#4 subflow"]);

        loads.Know("wan2", 60);
        Loaded(LinkMemory.Empty).ShouldBe(["10.1.0.2 dev wan1#3 subflow", "10.2.0.2 dev wan2#4 subflow backup"]);
        loads.EndLoad("wan1");
        Loaded(roles).ShouldBe(["10.1.0.2 dev wan1#3 subflow", "10.2.0.2 dev wan2#4 subflow"]);

        string[] Loaded(LinkMemory memory) => Home.Lines(HostPolicy.Decide(Home.Input(Home.Up(Home.Links(memory: memory)), null, AddressFamily.InterNetwork) with { Loads = loads.Current }), "endpoint");
    }

    [Fact]
    public void A_WAN_that_is_down_keeps_its_table_so_that_its_return_is_seen()
    {
        var up = HostPolicy.Decide(Home.Input(Home.Up(Home.Links())));
        var down = HostPolicy.Decide(Home.Input(Home.Up(Home.Links(), "fibre", "lte")));

        Home.Lines(down, "route").ShouldBe(Home.Lines(up, "route"));
        Home.Lines(down, "rule").ShouldBe(Home.Lines(up, "rule"));
        down.Endpoints.ShouldBeEmpty();
    }

    [Fact]
    public void More_addresses_than_endpoints_leaves_second_families_out_and_says_so()
    {
        var wans = Enumerable.Range(1, 6).Select(i => new WanConfig($"w{i}", $"w{i}", LinkRole.Active, null)).ToArray();
        var view = new NetworkView(
            [.. Enumerable.Range(1, 6).Select(i => new ObservedInterface(i + 10, $"w{i}", true))],
            [.. Enumerable.Range(1, 6).SelectMany(i => new ObservedAddress[]
            {
                new(i + 10, IPAddress.Parse($"10.{i}.0.2"), 24), new(i + 10, IPAddress.Parse($"2001:db8:{i}::2"), 64),
            })],
            [.. Enumerable.Range(1, 6).SelectMany(i => new ObservedRoute[]
            {
                new(254, IPNetwork.Parse("0.0.0.0/0"), i + 10, IPAddress.Parse($"10.{i}.0.1"), 0, 3),
                new(254, IPNetwork.Parse("::/0"), i + 10, IPAddress.Parse("fe80::1"), 0, 3),
            })]);
        var config = new GatewayConfig { Wans = [.. wans], Carrier = GatewayConfig.MptcpCarrier };

        var state = HostPolicy.Decide(Home.Input(Home.Up(Home.Links(config, view)), config));

        state.Endpoints.Length.ShouldBe(8);
        state.Endpoints.Count(e => e.Address.AddressFamily == AddressFamily.InterNetwork).ShouldBe(6);
        state.Warnings.ShouldHaveSingleItem().Code.ShouldBe("mptcp-endpoints");
    }

    [Fact]
    public void Two_routers_that_hand_out_the_same_address_are_told()
    {
        var view = Home.View with
        {
            Addresses = [new(3, IPAddress.Parse("192.168.8.100"), 24), new(4, IPAddress.Parse("192.168.8.100"), 24)],
            Routes =
            [
                new(254, IPNetwork.Parse("0.0.0.0/0"), 3, IPAddress.Parse("192.168.8.1"), 0, 3),
                new(254, IPNetwork.Parse("0.0.0.0/0"), 4, IPAddress.Parse("192.168.8.1"), 100, 3),
            ],
        };

        var state = HostPolicy.Decide(Home.Input(Home.Up(Home.Links(view: view))));

        state.Endpoints.ShouldHaveSingleItem().Device.ShouldBe("wan1");
        state.Warnings.ShouldContain(w => w.Code == "same-address");
    }

    [Fact]
    public void A_gateway_outside_the_network_is_on_the_link()
    {
        var view = Home.View with
        {
            Addresses = [new(3, IPAddress.Parse("203.0.113.7"), 32)],
            Routes = [new(254, IPNetwork.Parse("0.0.0.0/0"), 3, IPAddress.Parse("203.0.113.1"), 0, 3)],
        };

        Home.Lines(HostPolicy.Decide(Home.Input(Home.Up(Home.Links(view: view)))), "route").ShouldContain(
            "default via 203.0.113.1 dev wan1 src 203.0.113.7 onlink table 0xa600");
    }

    [Fact]
    public void The_settings_that_matter()
    {
        var state = HostPolicy.Decide(Home.Input(Home.Up(Home.Links())));

        Home.Lines(state, "sysctl").ShouldBe([
            "net.ipv4.tcp_rmem >= 4194304 49999872",
            "net.ipv4.tcp_wmem >= 24997888",
            "net.ipv4.tcp_slow_start_after_idle = 0",
            "net.ipv4.tcp_mtu_probing >= 1",
            "net.mptcp.enabled = 1",
            "net.mptcp.pm_type = 0",
            "net.mptcp.blackhole_timeout = 0",
            "net.mptcp.stale_loss_cnt = 2",
            "net.ipv4.conf.wan1.rp_filter = 2 (where it is 1)",
            "net.ipv4.neigh.wan1.retrans_time_ms = 200",
            "net.ipv6.neigh.wan1.retrans_time_ms = 200",
            "net.ipv4.conf.wan2.rp_filter = 2 (where it is 1)",
            "net.ipv4.neigh.wan2.retrans_time_ms = 200",
            "net.ipv6.neigh.wan2.retrans_time_ms = 200",
        ]);
        state.MptcpLimits.ShouldBe(new HostMptcpLimits(8, 8));
    }

    [Theory]
    [InlineData(true, "1")]
    [InlineData(false, "0")]
    public void Lanes_open_their_paths_themselves_where_the_kernel_lets_them(bool byConnection, string pathManager)
    {
        var config = Home.Config with { Carrier = GatewayConfig.TrunkCarrier };
        var input = Home.Input(Home.Up(Home.Links(config)), config);

        var state = HostPolicy.Decide(input with { Host = Home.Facts with { PathManagerByConnection = byConnection } });

        state.Endpoints.ShouldBeEmpty("an endpoint would open subflows on every connection");
        Home.Lines(state, "sysctl").ShouldContain($"net.mptcp.pm_type = {pathManager}");
        Home.Lines(state, "sysctl").ShouldContain("net.mptcp.stale_loss_cnt = 4");
        state.Routes.ShouldBe(HostPolicy.Decide(Home.Input(Home.Up(Home.Links()))).Routes);
    }

    [Theory]
    [InlineData(true, false, "by connection")]
    [InlineData(true, true, "endpoints")]
    [InlineData(false, false, "endpoints")]
    public void Each_connection_has_its_own_paths_where_the_kernel_and_the_user_let_it(bool byConnection, bool byKernel, string expected)
    {
        var config = Home.Config with { PathsByKernel = byKernel };
        var facts = Home.Facts with { PathManagerByConnection = byConnection };
        var input = Home.Input(Home.Up(Home.Links(config)), config);

        var state = HostPolicy.Decide(input with { Host = facts });

        var endpoints = HostPolicy.Decide(input).Endpoints;
        endpoints.ShouldNotBeEmpty();
        bool ours = expected == "by connection";
        state.Paths.ShouldBe(ours ? endpoints : []);
        state.Endpoints.ShouldBe(ours ? [] : endpoints);
        Home.Lines(state, "sysctl").ShouldContain($"net.mptcp.pm_type = {(ours ? "1" : "0")}");
        HostPolicy.PathManager(config, facts).ShouldBe(expected);
    }

    [Fact]
    public void Without_MPTCP_in_the_kernel_the_rest_stays()
    {
        var state = HostPolicy.Decide(Home.Input(Home.Up(Home.Links())) with { Host = Home.Facts with { Mptcp = false } });

        state.Endpoints.ShouldBeEmpty();
        state.MptcpLimits.ShouldBeNull();
        state.Routes.ShouldNotBeEmpty();
        state.Tproxy.ShouldNotBeNull();
        state.Warnings.ShouldHaveSingleItem().Code.ShouldBe("no-mptcp");
        Home.Lines(state, "sysctl").ShouldAllBe(l => !l.Contains("mptcp", StringComparison.Ordinal));
    }

    [Fact]
    public void Transparent_clients_are_taken_only_where_somebody_listens()
    {
        var input = Home.Input(Home.Up(Home.Links()));

        var v4 = HostPolicy.Decide(input with { TransparentV6 = null });
        v4.Tproxy!.ToString().ShouldNotContain("tproxy ip6");
        Home.Lines(v4, "rule").ShouldNotContain(l => l.StartsWith("-6 priority 10600", StringComparison.Ordinal));

        HostPolicy.Decide(input with { TransparentV4 = null, TransparentV6 = null }).Tproxy.ShouldBeNull();
        HostPolicy.Decide(input with { Config = Home.Config with { Ingress = new() } }).Tproxy.ShouldBeNull();
        var withoutLan = HostPolicy.Decide(input with { Config = Home.Config with { Lan = [] } });
        withoutLan.Tproxy.ShouldBeNull();
        withoutLan.Warnings.ShouldHaveSingleItem().Code.ShouldBe("transparent-without-lan");
    }

    [Fact]
    public void The_nftables_table_as_text() => HostPolicy.Decide(Home.Input(Home.Up(Home.Links()))).Tproxy!.ToString().ShouldBe("""
        table inet aggregator {
        	chain aggregator_gateway_prerouting {
        		type filter hook prerouting priority mangle; policy accept;
        		iifname != { "lan0" } return
        		meta l4proto != tcp return
        		fib daddr type { local, broadcast, anycast, multicast } return
        		socket transparent 1 socket wildcard 0 meta mark set meta mark and 0xffff00ff or 0x0000a600 accept
        		ip daddr { 10.1.0.0/24, 10.2.0.0/24, 169.254.0.0/16, 192.168.77.0/24 } return
        		ip6 daddr { 2001:db8:1::/64, fe80::/10 } return
        		meta nfproto ipv4 meta l4proto tcp tproxy ip to 127.0.0.1:12345 meta mark set meta mark and 0xffff00ff or 0x0000a600 accept
        		meta nfproto ipv6 meta l4proto tcp tproxy ip6 to [::1]:12346 meta mark set meta mark and 0xffff00ff or 0x0000a600 accept
        	}
        }

        """);

    [Fact]
    public void Networks_inside_others_are_not_listed_twice()
    {
        var table = new TproxyTable(["lan0"], new IPEndPoint(IPAddress.Any, 1), null, [IPNetwork.Parse("10.0.0.0/8"), IPNetwork.Parse("10.1.0.0/24")]);

        table.ToString().ShouldContain("ip daddr { 10.0.0.0/8, 169.254.0.0/16 } return");
        table.ToString().ShouldContain("tproxy ip to :1 ");
    }

    [Theory]
    [InlineData("lan\"0")]
    [InlineData("a b")]
    [InlineData("0123456789abcdef")]
    public void A_name_that_is_none_never_reaches_nft(string name) =>
        Should.Throw<ArgumentException>(() => new TproxyTable([name], new IPEndPoint(IPAddress.Any, 1), null, []).ToString());

    [Theory]
    [InlineData(null, 8L << 30, 49999872)]
    [InlineData(150.0, 8L << 30, 67108864)]
    [InlineData(5000.0, 64L << 30, 67108864)]
    [InlineData(5000.0, 1L << 30, 16777216)]
    [InlineData(null, 128L << 20, 6291456)]
    public void Buffers_follow_rate_times_delay_and_memory(double? rttMs, long memory, long expected) =>
        BufferSizes.Receive(rttMs, memory).ShouldBe(expected);

    private static string[] Endpoints(LinkSnapshot links, params AddressFamily[] families) =>
        Home.Lines(HostPolicy.Decide(Home.Input(links, null, families)), "endpoint");
}
