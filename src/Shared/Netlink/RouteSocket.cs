using System.Net.Sockets;
using Aggregator.Interop;

namespace Aggregator.Netlink;

/// <summary>
/// rtnetlink: links, addresses, routes and rules of the network namespace whose thread called <see cref="Open"/>.
/// Dumps throw <see cref="NetlinkException"/> (they have no expected failure); changes answer with errno. Changes need CAP_NET_ADMIN.
/// </summary>
internal sealed class RouteSocket : IDisposable
{
    private readonly NetlinkSocket _socket;

    private RouteSocket(NetlinkSocket socket) => _socket = socket;

    /// <summary>Dumps that were taken again because their table changed under way.</summary>
    internal int RepeatedDumps => _socket.RepeatedDumps;

    /// <exception cref="LibcException">The kernel refused the socket.</exception>
    internal static RouteSocket Open() => new(NetlinkSocket.Open(Libc.NETLINK_ROUTE));

    internal ValueTask<List<LinkInfo>> LinksAsync(CancellationToken cancel = default)
        => _socket.DumpAsync<int, LinkInfo>("dump of links", 0, WriteLinkDump, LinkInfo.TryParse, cancel);

    /// <summary>Of both families.</summary>
    internal ValueTask<List<AddressInfo>> AddressesAsync(CancellationToken cancel = default)
        => _socket.DumpAsync<int, AddressInfo>("dump of addresses", 0, WriteAddressDump, AddressInfo.TryParse, cancel);

    /// <summary>Of all tables of a family, the kernel's own local table included.</summary>
    internal ValueTask<List<RouteInfo>> RoutesAsync(AddressFamily family, CancellationToken cancel = default)
        => _socket.DumpAsync<byte, RouteInfo>("dump of routes", Prefixes.FamilyOf(family), WriteRouteDump, RouteInfo.TryParse, cancel);

    /// <summary>
    /// The kernel does not mark an interrupted dump of rules. What fits one datagram (32 KiB, some 300 rules) is consistent; in a longer list
    /// a change under way can double or lose one (seen on 6.18).
    /// </summary>
    internal ValueTask<List<RuleInfo>> RulesAsync(AddressFamily family, CancellationToken cancel = default)
        => _socket.DumpAsync<byte, RuleInfo>("dump of rules", Prefixes.FamilyOf(family), WriteRuleDump, RuleInfo.TryParse, cancel);

    /// <summary>ARP and neighbour discovery tables, both families.</summary>
    internal ValueTask<List<NeighbourInfo>> NeighboursAsync(CancellationToken cancel = default)
        => _socket.DumpAsync<int, NeighbourInfo>("dump of neighbours", 0, WriteNeighbourDump, NeighbourInfo.TryParse, cancel);

    /// <summary>Queueing disciplines of all interfaces.</summary>
    internal ValueTask<List<QdiscInfo>> QdiscsAsync(CancellationToken cancel = default)
        => _socket.DumpAsync<int, QdiscInfo>("dump of queueing disciplines", 0, WriteQdiscDump, QdiscInfo.TryParse, cancel);

    /// <summary>Classes of an interface's queueing disciplines.</summary>
    internal ValueTask<List<QdiscInfo>> QdiscClassesAsync(int interfaceIndex, CancellationToken cancel = default)
        => _socket.DumpAsync<int, QdiscInfo>("dump of classes", interfaceIndex, WriteClassDump, QdiscInfo.TryParse, cancel);

    /// <summary>EEXIST: a route to the same prefix with the same metric is in the table.</summary>
    internal ValueTask<NetlinkResult> AddRouteAsync(RouteInfo route, CancellationToken cancel = default)
        => _socket.RequestAsync(
            route,
            static (ref NetlinkWriter writer, RouteInfo route)
                => route.Write(ref writer, Libc.RTM_NEWROUTE, Libc.NLM_F_CREATE | Libc.NLM_F_EXCL),
            cancel: cancel);

    /// <summary>Adds the route, or changes the one to the same prefix with the same metric in the table.</summary>
    internal ValueTask<NetlinkResult> ReplaceRouteAsync(RouteInfo route, CancellationToken cancel = default)
        => _socket.RequestAsync(
            route,
            static (ref NetlinkWriter writer, RouteInfo route)
                => route.Write(ref writer, Libc.RTM_NEWROUTE, Libc.NLM_F_CREATE | Libc.NLM_F_REPLACE),
            cancel: cancel);

    /// <summary>ESRCH: there is no such route.</summary>
    internal ValueTask<NetlinkResult> DeleteRouteAsync(RouteInfo route, CancellationToken cancel = default)
        => _socket.RequestAsync(
            route,
            static (ref NetlinkWriter writer, RouteInfo route) => route.Write(ref writer, Libc.RTM_DELROUTE, 0),
            cancel: cancel);

    /// <summary>EEXIST: the same rule is there.</summary>
    internal ValueTask<NetlinkResult> AddRuleAsync(RuleInfo rule, CancellationToken cancel = default)
        => _socket.RequestAsync(
            rule,
            static (ref NetlinkWriter writer, RuleInfo rule)
                => rule.Write(ref writer, Libc.RTM_NEWRULE, Libc.NLM_F_CREATE | Libc.NLM_F_EXCL),
            cancel: cancel);

    /// <summary>Deletes the first rule that matches. ENOENT: there is none.</summary>
    internal ValueTask<NetlinkResult> DeleteRuleAsync(RuleInfo rule, CancellationToken cancel = default)
        => _socket.RequestAsync(
            rule,
            static (ref NetlinkWriter writer, RuleInfo rule) => rule.Write(ref writer, Libc.RTM_DELRULE, 0),
            cancel: cancel);

    public void Dispose() => _socket.Dispose();

    private static void WriteLinkDump(ref NetlinkWriter writer, int unused)
    {
        writer.Begin(Libc.RTM_GETLINK, 0);
        writer.Write(default(Libc.ifinfomsg));
    }

    private static void WriteAddressDump(ref NetlinkWriter writer, int unused)
    {
        writer.Begin(Libc.RTM_GETADDR, 0);
        writer.Write(default(Libc.ifaddrmsg));
    }

    private static void WriteRouteDump(ref NetlinkWriter writer, byte family)
    {
        writer.Begin(Libc.RTM_GETROUTE, 0);
        writer.Write(new Libc.rtmsg { rtm_family = family });
    }

    private static void WriteNeighbourDump(ref NetlinkWriter writer, int unused)
    {
        writer.Begin(Libc.RTM_GETNEIGH, 0);
        writer.Write(default(Libc.ndmsg));
    }

    private static void WriteQdiscDump(ref NetlinkWriter writer, int unused)
    {
        writer.Begin(Libc.RTM_GETQDISC, 0);
        writer.Write(default(Libc.tcmsg));
    }

    private static void WriteClassDump(ref NetlinkWriter writer, int interfaceIndex)
    {
        writer.Begin(Libc.RTM_GETTCLASS, 0);
        writer.Write(new Libc.tcmsg { tcm_ifindex = interfaceIndex });
    }

    private static void WriteRuleDump(ref NetlinkWriter writer, byte family)
    {
        writer.Begin(Libc.RTM_GETRULE, 0);
        writer.Write(new Libc.fib_rule_hdr { family = family });
    }
}
