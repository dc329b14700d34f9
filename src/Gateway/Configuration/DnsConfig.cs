using System.Collections.Immutable;
using System.Net;

namespace Aggregator.Gateway.Configuration;

/// <summary>The LAN's name server.</summary>
internal sealed record DnsConfig
{
    /// <summary>Addresses of the LAN's interfaces, UDP and TCP.</summary>
    internal ImmutableArray<IPEndPoint> Listen { get; init; } = [];

    /// <summary>Asked through the VPS, in this order. Empty: the VPS's own resolver answers.</summary>
    internal ImmutableArray<IPEndPoint> Upstream { get; init; } = [];

    /// <summary>Asked over the WANs while no VPS is reached (`fallback: direct`). Empty: those of /etc/resolv.conf.</summary>
    internal ImmutableArray<IPEndPoint> Direct { get; init; } = [];

    /// <summary>Domains that others answer, by this host's own routes.</summary>
    internal ImmutableArray<DnsSplit> Split { get; init; } = [];
}

/// <param name="Domain">Lower case, no dot at either end; it and all names below it.</param>
internal sealed record DnsSplit(string Domain, IPEndPoint Server);
