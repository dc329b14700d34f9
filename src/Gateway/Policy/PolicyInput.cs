using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Links;

namespace Aggregator.Gateway.Policy;

/// <summary>All that a decision depends on.</summary>
internal sealed record PolicyInput
{
    internal required GatewayConfig Config { get; init; }

    /// <summary>With health.</summary>
    internal required LinkSnapshot Links { get; init; }

    /// <summary>Interfaces that a speed test knows, and loads.</summary>
    internal ImmutableDictionary<string, LinkLoad> Loads { get; init; } = ImmutableDictionary<string, LinkLoad>.Empty;

    /// <summary>Families in which the VPS is reached, the preferred first; empty: unpaired, so every family is prepared.</summary>
    internal ImmutableArray<AddressFamily> NodeFamilies { get; init; } = [];

    /// <summary>The largest round trip that any WAN showed since the start, in ms; grows only, so buffers do not flap.</summary>
    internal double? WorstRttMs { get; init; }

    /// <summary>New traffic of the LAN goes out directly at this moment.</summary>
    internal bool IsDirect { get; init; }

    /// <summary>By the link's name; a link that is not here has none.</summary>
    internal ImmutableDictionary<string, LinkLimits> Limits { get; init; } = ImmutableDictionary<string, LinkLimits>.Empty;

    internal required HostFacts Host { get; init; }

    /// <summary>The transparent listener for IPv4; null: not listening.</summary>
    internal IPEndPoint? TransparentV4 { get; init; }

    internal IPEndPoint? TransparentV6 { get; init; }

    /// <summary>The LAN's packets have a way; null: they go as the host routes them.</summary>
    internal TunnelUse? Tunnel { get; init; }
}

/// <summary>The tunnel's interface, and the families that the VPS takes through it.</summary>
internal sealed record TunnelUse(string Device, int Index, bool V4, bool V6)
{
    internal bool Has(AddressFamily family) => family == AddressFamily.InterNetwork ? V4 : V6;
}

/// <summary>What the host is, as found at the start.</summary>
/// <param name="MemoryBytes">Of the host, or of the container's limit.</param>
/// <param name="Mptcp">The kernel has MPTCP.</param>
/// <param name="StrictReversePath">net.ipv4.conf.all.rp_filter is 1, which makes every interface strict that is not loose.</param>
/// <param name="PathManagerByConnection">The kernel has MPTCP's user-space path manager: subflows of one connection can be opened by themselves.</param>
internal sealed record HostFacts(long MemoryBytes, bool Mptcp, bool StrictReversePath, bool PathManagerByConnection = false);
