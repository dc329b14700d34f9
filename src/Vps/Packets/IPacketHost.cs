using System.Collections.Immutable;
using System.Net;
using Aggregator.Tun;

namespace Aggregator.Vps.Packets;

/// <summary>What must be done to the host so that gateways' packets reach the internet. Implemented by Apply, the one room that may.</summary>
internal interface IPacketHost
{
    /// <summary>Makes a gateway's interface with the way back to it, and its addresses' translation.</summary>
    /// <param name="number">Of the gateway, from 1 on; its own interface, routing table, mark and conntrack zone.</param>
    Task<PacketInterface> OpenAsync(int number, CancellationToken cancellationToken);

    /// <summary>The networks to which answers are led, in place of those before.</summary>
    Task RouteAsync(int number, string device, ImmutableArray<IPNetwork> networks, CancellationToken cancellationToken);
}

/// <param name="Device">Null: there is none, and <paramref name="Problem"/> says why and what to do.</param>
/// <param name="V4">IPv4 packets find a way out from here.</param>
/// <param name="V6">IPv6 packets do.</param>
internal sealed record PacketInterface(TunDevice? Device, bool V4, bool V6, string? Problem);
