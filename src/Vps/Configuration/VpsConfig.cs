using System.Collections.Immutable;
using System.Net;

namespace Aggregator.Vps.Configuration;

/// <summary>What the user asked for in vps.yaml, validated. Immutable; a reload makes a new one.</summary>
internal sealed record VpsConfig
{
    /// <summary>Where the one TCP port listens. `[::]` takes IPv4 too.</summary>
    internal IPEndPoint Listen { get; init; } = new(IPAddress.IPv6Any, 7443);

    /// <summary>Host names or addresses under which gateways reach this host, best first.</summary>
    internal ImmutableArray<string> Public { get; init; } = [];

    /// <summary>Private ranges that may be dialled all the same.</summary>
    internal ImmutableArray<IPNetwork> EgressAllow { get; init; } = [];

    /// <summary>Whether gateways may ask for data connections without cipher (`cipher: none` on their side).</summary>
    internal bool AllowPlain { get; init; }

    internal string State { get; init; } = "/var/lib/aggregator-vps";

    internal string Api { get; init; } = "/run/aggregator/vps.sock";
}
