using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Aggregator.Lab.Topology;

/// <summary>The commands that make a lab, as text: one line a command of `ip -batch`.</summary>
internal static class LabPlan
{
    /// <summary>Metrics of the gateway's default routes: 101 for the first WAN, as DHCP clients give them in order.</summary>
    private const int MetricBase = 100;

    /// <summary>What a TAP's own queue takes before the emulator's thread, which reads at once, comes to it: a burst, not a queue.</summary>
    private const int TapQueuePackets = 2000;

    internal static IReadOnlyList<(string Path, string Value)> Sysctls(bool forwards) =>
    [
        // Before there are interfaces: addresses must be usable at once, and only those that we set.
        ("net/ipv6/conf/all/accept_dad", "0"),
        ("net/ipv6/conf/default/accept_dad", "0"),
        ("net/ipv6/conf/default/dad_transmits", "0"),
        ("net/ipv6/conf/default/accept_ra", "0"),
        ("net/ipv6/conf/all/disable_ipv6", "0"),
        ("net/ipv6/conf/default/disable_ipv6", "0"),

        // The same on every machine, whatever the host has.
        ("net/ipv4/conf/all/rp_filter", "0"),
        ("net/ipv4/conf/default/rp_filter", "0"),
        ("net/ipv4/ip_forward", forwards ? "1" : "0"),
        ("net/ipv6/conf/all/forwarding", forwards ? "1" : "0"),
        ("net/ipv6/conf/default/forwarding", forwards ? "1" : "0"),
    ];

    internal static string Wires(string prefix, LabSpec spec)
    {
        var b = new StringBuilder();
        if (spec.ClientLan)
        {
            Wire(b, prefix + "client", "eth0", prefix + "gw", "lan0");
        }

        Wire(b, prefix + "vps", "eth0", prefix + "core", "vps");
        Wire(b, prefix + "inet", "eth0", prefix + "core", "inet");
        for (int k = 1; k <= spec.Wans.Count; k++)
        {
            Wire(b, $"{prefix}isp{k}", "core", prefix + "core", $"isp{k}");
            if (spec.Wans[k - 1].Unshaped)
            {
                b.Append(UnshapedWan(k, prefix + "gw", $"{prefix}isp{k}"));
            }
        }

        return b.ToString();
    }

    internal static string UnshapedWan(int k, string gateway, string isp)
    {
        var b = new StringBuilder();
        Wire(b, gateway, $"wan{k}", isp, NetworkLab.IspWanInterface);
        return b.ToString();
    }

    /// <summary>What a host needs once its interfaces are there.</summary>
    internal static string Commands(string role, LabSpec spec)
    {
        var b = new StringBuilder("link set dev lo up\n");
        switch (role)
        {
            case "client":
                Line(b, $"link set dev eth0 up");
                Address(b, "eth0", LabAddresses.Client, 24);
                Address(b, "eth0", LabAddresses.ClientV6, 64);
                Line(b, $"route add default via {LabAddresses.LanGateway}");
                Line(b, $"route add default via {LabAddresses.LanGatewayV6}");
                break;
            case "gw":
                if (spec.ClientLan)
                {
                    Line(b, $"link set dev lan0 up");
                    Address(b, "lan0", LabAddresses.LanGateway, 24);
                    Address(b, "lan0", LabAddresses.LanGatewayV6, 64);
                }

                for (int k = 1; k <= spec.Wans.Count; k++)
                {
                    b.Append(GatewayWanLink(k, spec.Wans[k - 1]));
                    b.Append(GatewayWanAddresses(k, spec.Wans[k - 1]));
                }

                break;
            case "vps":
                Edge(b, LabAddresses.Vps, LabAddresses.VpsV6, LabAddresses.VpsRouter, LabAddresses.VpsRouterV6);
                break;
            case "inet":
                Edge(b, LabAddresses.Internet, LabAddresses.InternetV6, LabAddresses.InternetRouter, LabAddresses.InternetRouterV6);
                break;
            case "core":
                CoreCommands(b, spec);
                break;
            default:
                int number = int.Parse(role.AsSpan("isp".Length), CultureInfo.InvariantCulture);
                b.Append(IspWan(number, spec.Wans[number - 1]));
                Line(b, $"link set dev core up");
                Address(b, "core", LabAddresses.Isp(number), 24);
                Address(b, "core", LabAddresses.IspV6(number), 64);
                Line(b, $"route add default via {LabAddresses.IspCore(number)}");
                Line(b, $"route add default via {LabAddresses.IspCoreV6(number)}");
                break;
        }

        return b.ToString();
    }

    /// <summary>The interface of a WAN in the gateway, up; its MAC is the same after it was gone.</summary>
    internal static string GatewayWanLink(int k, WanSpec wan) =>
        $"link set dev wan{k} address 02:61:67:6c:{k:x2}:02 mtu {wan.MtuBytes} {Tap(wan)}up\n";

    internal static string GatewayWanAddresses(int k, WanSpec wan)
    {
        var b = new StringBuilder();
        if (wan.IPv4)
        {
            Address(b, $"wan{k}", LabAddresses.Wan(k), 24);
            Line(b, $"route add default via {LabAddresses.WanRouter(k)} dev wan{k} metric {MetricBase + k}");
        }

        if (wan.IPv6)
        {
            Address(b, $"wan{k}", LabAddresses.WanV6(k), 64);
            Line(b, $"route add default via {LabAddresses.WanRouterV6(k)} dev wan{k} metric {MetricBase + k}");
        }

        return b.ToString();
    }

    /// <summary>The ISP router's side of a WAN.</summary>
    internal static string IspWan(int k, WanSpec wan)
    {
        var b = new StringBuilder();
        Line(b, $"link set dev {NetworkLab.IspWanInterface} address 02:61:67:6c:{k:x2}:01 mtu {wan.MtuBytes} {Tap(wan)}up");
        if (wan.IPv4)
        {
            Address(b, NetworkLab.IspWanInterface, LabAddresses.WanRouter(k), 24);
        }

        if (wan.IPv6)
        {
            Address(b, NetworkLab.IspWanInterface, LabAddresses.WanRouterV6(k), 64);
        }

        return b.ToString();
    }

    /// <summary>Null: no NAT.</summary>
    internal static string? Nat(NatKind kind) => kind switch
    {
        NatKind.PortRestricted => Masquerade("ip", "core", "masquerade"),
        NatKind.Symmetric => Masquerade("ip", "core", "masquerade fully-random"),
        _ => null,
    };

    internal static string GatewayMasquerade => Masquerade("inet", "wan*", "masquerade");

    private static string Masquerade(string family, string outInterface, string action) =>
        $$"""
        table {{family}} lab {
          chain postrouting {
            type nat hook postrouting priority srcnat
            oifname "{{outInterface}}" {{action}}
          }
        }

        """;

    private static void CoreCommands(StringBuilder b, LabSpec spec)
    {
        Line(b, $"link set dev vps up");
        Address(b, "vps", LabAddresses.VpsRouter, 24);
        Address(b, "vps", LabAddresses.VpsRouterV6, 64);
        Line(b, $"link set dev inet up");
        Address(b, "inet", LabAddresses.InternetRouter, 24);
        Address(b, "inet", LabAddresses.InternetRouterV6, 64);
        for (int k = 1; k <= spec.Wans.Count; k++)
        {
            var wan = spec.Wans[k - 1];
            Line(b, $"link set dev isp{k} up");
            Address(b, $"isp{k}", LabAddresses.IspCore(k), 24);
            Address(b, $"isp{k}", LabAddresses.IspCoreV6(k), 64);
            if (wan.IPv4 && wan.Nat == NatKind.None)
            {
                // Behind NAT the WAN's own addresses have no way back, as in life.
                Line(b, $"route add 10.11.{k}.0/24 via {LabAddresses.Isp(k)}");
            }

            if (wan.IPv6)
            {
                Line(b, $"route add 2001:db8:11:{k}::/64 via {LabAddresses.IspV6(k)}");
            }
        }
    }

    private static void Edge(StringBuilder b, IPAddress own, IPAddress ownV6, IPAddress router, IPAddress routerV6)
    {
        Line(b, $"link set dev eth0 up");
        Address(b, "eth0", own, 24);
        Address(b, "eth0", ownV6, 64);
        Line(b, $"route add default via {router}");
        Line(b, $"route add default via {routerV6}");
    }

    /// <summary>A TAP's operational state is `unknown` unless told; that of a network card, and of veth, is `up`.</summary>
    private static string Tap(WanSpec wan) => wan.Unshaped ? "" : $"txqueuelen {TapQueuePackets} state up ";

    private static void Wire(StringBuilder b, string oneSide, string oneName, string otherSide, string otherName) =>
        Line(b, $"link add name {oneName} netns {oneSide} type veth peer name {otherName} netns {otherSide}");

    private static void Address(StringBuilder b, string device, IPAddress address, int prefixLength)
    {
        bool v6 = address.AddressFamily == AddressFamily.InterNetworkV6;
        Line(b, $"address replace {address}/{prefixLength} dev {device}{(v6 ? " nodad" : "")}");
    }

    private static void Line(StringBuilder b, string command) => b.Append(command).Append('\n');
}
