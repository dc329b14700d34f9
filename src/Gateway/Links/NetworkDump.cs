using System.Collections.Immutable;
using System.Net.Sockets;
using Aggregator.Netlink;

namespace Aggregator.Gateway.Links;

/// <summary>Reads the kernel's interfaces, addresses and routes.</summary>
internal static class NetworkDump
{
    internal static async Task<NetworkView> ReadAsync(RouteSocket socket, CancellationToken cancellationToken)
    {
        var links = await socket.LinksAsync(cancellationToken);
        var addresses = await socket.AddressesAsync(cancellationToken);
        var routes = await socket.RoutesAsync(AddressFamily.InterNetwork, cancellationToken);
        routes.AddRange(await socket.RoutesAsync(AddressFamily.InterNetworkV6, cancellationToken));
        return From(links, addresses, routes);
    }

    internal static NetworkView From(IEnumerable<LinkInfo> links, IEnumerable<AddressInfo> addresses, IEnumerable<RouteInfo> routes) => new(
        [.. links.Select(l => new ObservedInterface(l.Index, l.Name, l.IsUsable, l.Flags.HasFlag(LinkFlags.PointToPoint), l.IsLoopback))],
        [.. addresses.Select(From)],
        [.. routes.Where(r => r.Type == RouteType.Unicast).SelectMany(Hops)]);

    private static ObservedAddress From(AddressInfo address) => new(
        address.InterfaceIndex,
        address.Address,
        address.PrefixLength,
        Usable: !address.IsTentative && address.Scope == RouteScope.Universe,
        Lesser: address.IsDeprecated || address.Flags.HasFlag(AddressFlags.Secondary));

    private static IEnumerable<ObservedRoute> Hops(RouteInfo route)
    {
        int table = (int)route.Table;
        return route.NextHops.IsDefaultOrEmpty
            ? [new ObservedRoute(table, route.Destination, route.InterfaceIndex, route.Gateway, route.Priority, route.Protocol)]
            : route.NextHops.Select(h => new ObservedRoute(table, route.Destination, h.InterfaceIndex, h.Gateway, route.Priority, route.Protocol));
    }
}
