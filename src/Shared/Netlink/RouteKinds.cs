namespace Aggregator.Netlink;

/// <summary>RTN_*, linux/rtnetlink.h: what a route does with a packet.</summary>
internal enum RouteType : byte
{
    Unspecified = 0,
    Unicast = 1,

    /// <summary>Delivered to this host; with a default prefix and the loopback interface it is what TPROXY needs.</summary>
    Local = 2,
    Broadcast = 3,
    Anycast = 4,
    Multicast = 5,
    Blackhole = 6,
    Unreachable = 7,
    Prohibit = 8,
    Throw = 9,
}

/// <summary>RT_SCOPE_*: how far a destination or an address is. IPv6 routes are all <see cref="Universe"/>.</summary>
internal enum RouteScope : byte
{
    Universe = 0,
    Site = 200,
    Link = 253,
    Host = 254,
    Nowhere = 255,
}

/// <summary>RTNH_F_*: a next hop's flags. All but <see cref="Onlink"/> are the kernel's own report.</summary>
[Flags]
internal enum NextHopFlags : byte
{
    None = 0,

    /// <summary>The interface is down.</summary>
    Dead = 1,
    Pervasive = 2,

    /// <summary>Take the gateway as a neighbour even if no route says so.</summary>
    Onlink = 4,
    Offload = 8,

    /// <summary>The interface has no carrier.</summary>
    LinkDown = 16,
    Unresolved = 32,
}

/// <summary>FR_ACT_*, linux/fib_rules.h.</summary>
internal enum RuleAction : byte
{
    Unspecified = 0,
    ToTable = 1,
    GoTo = 2,
    Nop = 3,
    Blackhole = 6,
    Unreachable = 7,
    Prohibit = 8,
}

/// <summary>Well-known routing tables.</summary>
internal static class RouteTables
{
    internal const uint Default = 253;
    internal const uint Main = 254;
    internal const uint Local = 255;
}

/// <summary>RTPROT_*: who made a route or a rule. Values from 192 on have no owner in the kernel's headers or in iproute2.</summary>
internal static class RouteProtocols
{
    internal const byte Unspecified = 0;
    internal const byte Redirect = 1;
    internal const byte Kernel = 2;
    internal const byte Boot = 3;
    internal const byte Static = 4;

    /// <summary>Router advertisements.</summary>
    internal const byte RouterAdvertisement = 9;
    internal const byte Dhcp = 16;
}
