using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Aggregator.Flows;
using Aggregator.Gateway.Links;

namespace Aggregator.Gateway.Direct;

/// <summary>
/// The addresses of a flow's target that may be dialled directly. The LAN reaches its own networks without us, and this host must not be
/// reached through its own proxies.
/// </summary>
internal static class DirectTargets
{
    /// <summary>Clients give up soon after; the resolver's own limits are longer.</summary>
    private static readonly TimeSpan ResolveTime = TimeSpan.FromSeconds(5);

    private static readonly ImmutableArray<IPNetwork> Refused =
    [
        IPNetwork.Parse("0.0.0.0/8"),       // this network
        IPNetwork.Parse("127.0.0.0/8"),     // loopback
        IPNetwork.Parse("169.254.0.0/16"),  // link-local
        IPNetwork.Parse("224.0.0.0/3"),     // multicast, reserved, broadcast
        IPNetwork.Parse("::/127"),          // unspecified, loopback
        IPNetwork.Parse("fe80::/10"),       // link-local
        IPNetwork.Parse("ff00::/8"),        // multicast
    ];

    internal static bool Allows(IPAddress address, LinkSnapshot links)
    {
        address = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        return !Refused.Any(n => n.Contains(address))
            && !links.LocalNetworks.Any(n => n.Contains(address))
            && !links.Links.Any(l => l.Addresses.Any(a => a.Address.Equals(address)));
    }

    /// <summary>In the resolver's order; empty with why.</summary>
    internal static async Task<(ImmutableArray<IPAddress> Addresses, OpenResult Failure)> ResolveAsync(
        FlowTarget target, LinkSnapshot links, TimeProvider time, CancellationToken cancellationToken)
    {
        IPAddress[] found;
        if (target.Address is { } address)
        {
            found = [address];
        }
        else
        {
            using var limit = new CancellationTokenSource(ResolveTime, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
            try
            {
                found = await Dns.GetHostAddressesAsync(target.Name!, either.Token);
            }
            catch (Exception e) when (e is SocketException or ArgumentException)
            {
                return ([], OpenResult.NameNotFound);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                return ([], OpenResult.TimedOut);
            }
        }

        ImmutableArray<IPAddress> allowed = [.. found.Where(a => Allows(a, links))];
        return (allowed, allowed.IsEmpty ? OpenResult.NotAllowed : OpenResult.Opened);
    }
}
