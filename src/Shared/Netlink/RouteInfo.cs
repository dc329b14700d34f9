using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;

namespace Aggregator.Netlink;

/// <summary>
/// A route: what a dump reports, and what is added, replaced or deleted. The factories fill in what the kernel would, so a route made
/// by one of them equals the one that a later dump reports.
/// </summary>
internal sealed partial record RouteInfo
{
    /// <summary>The kernel's IP6_RT_PRIO_USER: the metric of an IPv6 route that names none.</summary>
    internal const uint DefaultIPv6Priority = 1024;

    /// <summary>The kernel's LOOPBACK_IFINDEX, the same in every network namespace.</summary>
    internal const int LoopbackIndex = 1;

    internal static readonly IPNetwork AnyIPv4 = new(IPAddress.Any, 0);

    internal static readonly IPNetwork AnyIPv6 = new(IPAddress.IPv6Any, 0);

    /// <summary>0.0.0.0/0 and ::/0 are the defaults.</summary>
    internal required IPNetwork Destination { get; init; }

    internal uint Table { get; init; } = RouteTables.Main;

    internal RouteType Type { get; init; } = RouteType.Unicast;

    /// <summary>Who made it (<see cref="RouteProtocols"/>).</summary>
    internal byte Protocol { get; init; } = RouteProtocols.Static;

    internal RouteScope Scope { get; init; }

    /// <summary>The metric: the lowest wins.</summary>
    internal uint Priority { get; init; }

    /// <summary>The next hop, null if the destination is on the link. Of the other family for an IPv4 route via IPv6 (RFC 5549).</summary>
    internal IPAddress? Gateway { get; init; }

    /// <summary>The outgoing interface, or 0.</summary>
    internal int InterfaceIndex { get; init; }

    internal IPAddress? PreferredSource { get; init; }

    internal NextHopFlags Flags { get; init; }

    /// <summary>A multipath route's hops; then <see cref="Gateway"/> and <see cref="InterfaceIndex"/> are empty.</summary>
    internal ImmutableArray<RouteNextHop> NextHops { get; init; } = [];

    /// <summary>The nexthop object (ip nexthop) that the route uses, or 0.</summary>
    internal uint NextHopId { get; init; }

    internal AddressFamily Family => Destination.BaseAddress.AddressFamily;

    internal bool IsDefault => Destination.PrefixLength == 0;

    /// <summary>A route through a gateway, or to a directly reachable prefix if <paramref name="gateway"/> is null.</summary>
    internal static RouteInfo Unicast(
        IPNetwork destination, IPAddress? gateway, int interfaceIndex, uint table, byte protocol, uint priority = 0, bool onlink = false)
        => new()
        {
            Destination = destination,
            Gateway = gateway is { IsIPv6LinkLocal: true } ? new IPAddress(gateway.GetAddressBytes()) : gateway,
            InterfaceIndex = interfaceIndex,
            Table = table,
            Protocol = protocol,
            Priority = PriorityOf(destination, priority),
            Scope = gateway is null && IsIPv4(destination) ? RouteScope.Link : RouteScope.Universe,
            Flags = onlink ? NextHopFlags.Onlink : NextHopFlags.None,
        };

    /// <summary>A route that refuses packets with an ICMP unreachable.</summary>
    internal static RouteInfo Unreachable(IPNetwork destination, uint table, byte protocol, uint priority = 0)
        => new()
        {
            Destination = destination,
            Type = RouteType.Unreachable,
            InterfaceIndex = IsIPv4(destination) ? 0 : LoopbackIndex,
            Table = table,
            Protocol = protocol,
            Priority = PriorityOf(destination, priority),
        };

    /// <summary>"local default dev lo": packets that a rule sends to this table are delivered here, as TPROXY needs it.</summary>
    internal static RouteInfo LocalDefault(AddressFamily family, uint table, byte protocol)
    {
        IPNetwork destination = family == AddressFamily.InterNetwork ? AnyIPv4 : AnyIPv6;
        return new RouteInfo
        {
            Destination = destination,
            Type = RouteType.Local,
            InterfaceIndex = LoopbackIndex,
            Table = table,
            Protocol = protocol,
            Priority = PriorityOf(destination, 0),
            Scope = IsIPv4(destination) ? RouteScope.Host : RouteScope.Universe,
        };
    }

    /// <summary>Flags other than <see cref="NextHopFlags.Onlink"/> are reports and take no part.</summary>
    public bool Equals(RouteInfo? other)
        => other is not null && Destination.Equals(other.Destination) && Table == other.Table && Type == other.Type
            && Protocol == other.Protocol && Scope == other.Scope && Priority == other.Priority && Equals(Gateway, other.Gateway)
            && InterfaceIndex == other.InterfaceIndex && Equals(PreferredSource, other.PreferredSource)
            && ((Flags ^ other.Flags) & NextHopFlags.Onlink) == 0 && NextHopId == other.NextHopId
            && NextHops.AsSpan().SequenceEqual(other.NextHops.AsSpan());

    public override int GetHashCode() => HashCode.Combine(Destination, Table, Type, Priority, Gateway, InterfaceIndex);

    private static bool IsIPv4(IPNetwork network) => network.BaseAddress.AddressFamily == AddressFamily.InterNetwork;

    private static uint PriorityOf(IPNetwork destination, uint priority)
        => priority == 0 && !IsIPv4(destination) ? DefaultIPv6Priority : priority;
}

/// <summary>One hop of a multipath route; <paramref name="Weight"/> is 1 to 256.</summary>
internal sealed record RouteNextHop(IPAddress? Gateway, int InterfaceIndex, int Weight, NextHopFlags Flags = NextHopFlags.None)
{
    public bool Equals(RouteNextHop? other)
        => other is not null && Equals(Gateway, other.Gateway) && InterfaceIndex == other.InterfaceIndex && Weight == other.Weight
            && ((Flags ^ other.Flags) & NextHopFlags.Onlink) == 0;

    public override int GetHashCode() => HashCode.Combine(Gateway, InterfaceIndex, Weight);
}
