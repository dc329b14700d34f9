using System.Net;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Links;
using Aggregator.Gateway.Policy;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Policy;

/// <summary>How the LAN's packets are led into the tunnel, and when not.</summary>
public sealed class TunnelPolicyTests
{
    private static readonly TunnelUse Both = new("agg0", 9, V4: true, V6: true);

    [Fact]
    public void Without_the_tunnel_only_TCP_is_touched()
    {
        var state = HostPolicy.Decide(Input(null));
        state.Tproxy!.ToString().ShouldContain("meta l4proto != tcp return");
        state.ToString().ShouldNotContain("agg0");
    }

    [Fact]
    public void With_it_all_else_is_marked_and_led()
    {
        var state = HostPolicy.Decide(Input(Both));
        string table = state.Tproxy!.ToString();
        table.ShouldNotContain("meta l4proto != tcp return");
        table.ShouldContain("meta nfproto ipv4 meta l4proto != tcp meta mark set meta mark and 0xffff00ff or 0x0000a700 accept");
        table.ShouldContain("tproxy");
        state.Routes.Select(r => r.ToString()).ShouldContain("default dev agg0 table 0xa6fd");
        state.Rules.Select(r => r.ToString()).ShouldContain("priority 10606 fwmark 0xa700/0xff00 iif lan0 lookup 0xa6fd");
        state.Sysctls.Select(s => s.Name.ToString()).ShouldContain("net.ipv4.conf.agg0.forwarding");
        state.Sysctls.Select(s => s.Name.ToString()).ShouldNotContain("net.ipv4.ip_forward");
    }

    [Fact]
    public void In_whole_IP_mode_TCP_is_led_too_and_clamped()
    {
        string table = HostPolicy.Decide(Input(Both, wholeIp: true) with { TransparentV4 = null }).Tproxy!.ToString();
        table.ShouldContain("meta nfproto ipv4 meta mark set");
        table.ShouldNotContain("tproxy");
        table.ShouldContain("maxseg size set rt mtu");
    }

    [Fact]
    public void A_family_that_the_VPS_cannot_send_on_stays_where_it_is()
    {
        string table = HostPolicy.Decide(Input(Both with { V6 = false })).Tproxy!.ToString();
        table.ShouldNotContain("nfproto ipv6 meta l4proto != tcp");
    }

    [Fact]
    public void While_traffic_goes_out_directly_nothing_is_led() =>
        HostPolicy.Decide(Input(Both) with { IsDirect = true }).ToString().ShouldNotContain("agg0");

    [Fact]
    public void Without_a_LAN_only_the_hosts_own_sockets_there_are_led()
    {
        var input = Input(Both);
        var state = HostPolicy.Decide(input with { Config = input.Config with { Lan = [], Ingress = new IngressConfig { Socks = new IPEndPoint(IPAddress.Loopback, 1080) } } });
        state.Routes.Select(r => r.ToString()).ShouldContain("default dev agg0 table 0xa6fd");
        state.Rules.Select(r => r.ToString()).ShouldBe(["priority 10606 oif agg0 lookup 0xa6fd", "-6 priority 10606 oif agg0 lookup 0xa6fd"]);
        state.Sysctls.Select(s => s.Name.ToString()).ShouldNotContain("net.ipv4.conf.agg0.forwarding");
        state.Sysctls.Select(s => s.Name.ToString()).ShouldContain("net.ipv4.conf.agg0.rp_filter");
        state.Tproxy.ShouldBeNull();
    }

    private static PolicyInput Input(TunnelUse? tunnel, bool wholeIp = false) => new()
    {
        Config = new GatewayConfig { Lan = ["lan0"], Ingress = new IngressConfig { Transparent = true, WholeIp = wholeIp } },
        Links = LinkSnapshot.Empty,
        Host = new HostFacts(1L << 30, Mptcp: true, StrictReversePath: false),
        TransparentV4 = new IPEndPoint(IPAddress.Loopback, 1234),
        Tunnel = tunnel,
    };
}
