using System.Collections.Immutable;
using System.Net;

namespace Aggregator.Gateway.Configuration;

/// <summary>Roaming clients over WireGuard.</summary>
/// <param name="Listen">The UDP port, on every address of this host.</param>
/// <param name="Network">Their IPv4 addresses; the first is the gateway's.</param>
/// <param name="Network6">Their IPv6 addresses; null: a private prefix (RFC 4193) made of the gateway's key.</param>
/// <param name="EndPoint">HOST:PORT under which they reach the gateway; null: the address of a WAN and <paramref name="Listen"/>.</param>
/// <param name="Dns">Name servers that they are told; empty: none.</param>
internal sealed record ClientsConfig(ushort Listen, IPNetwork Network, IPNetwork? Network6, string? EndPoint, ImmutableArray<IPAddress> Dns)
{
    /// <summary>WireGuard's usual port.</summary>
    internal const ushort DefaultListen = 51820;

    /// <summary>Seldom anybody's, so that it does not meet the network that a client happens to be in.</summary>
    internal static readonly IPNetwork DefaultNetwork = IPNetwork.Parse("10.213.77.0/24");
}
