using System.Collections.Immutable;
using System.Net.Sockets;
using Aggregator.Gateway.Links;
using Aggregator.Netlink;

namespace Aggregator.Gateway.Doctor;

/// <summary>The kernel's tables at one moment.</summary>
internal sealed record HostView
{
    internal ImmutableArray<LinkInfo> Interfaces { get; init; } = [];

    internal ImmutableArray<AddressInfo> Addresses { get; init; } = [];

    internal ImmutableArray<RouteInfo> Routes { get; init; } = [];

    internal ImmutableArray<NeighbourInfo> Neighbours { get; init; } = [];

    /// <summary>Queueing disciplines, and the classes of those that have them.</summary>
    internal ImmutableArray<QdiscInfo> Qdiscs { get; init; } = [];

    internal LinkInfo? Interface(string name) => Interfaces.FirstOrDefault(i => i.Name == name);

    internal LinkInfo? Interface(int index) => Interfaces.FirstOrDefault(i => i.Index == index);

    /// <summary>For <see cref="LinkResolver"/>.</summary>
    internal NetworkView Network => NetworkDump.From(Interfaces, Addresses, Routes);

    /// <exception cref="IOException">The kernel's netlink cannot be used.</exception>
    internal static async Task<HostView> ReadAsync(CancellationToken cancellationToken)
    {
        using var socket = RouteSocket.Open();
        var interfaces = await socket.LinksAsync(cancellationToken);
        var routes = await socket.RoutesAsync(AddressFamily.InterNetwork, cancellationToken);
        routes.AddRange(await socket.RoutesAsync(AddressFamily.InterNetworkV6, cancellationToken));
        var qdiscs = await socket.QdiscsAsync(cancellationToken);
        foreach (int index in qdiscs.Where(q => q.Kind == "htb").Select(q => q.InterfaceIndex).Distinct().ToArray())
        {
            qdiscs.AddRange(await socket.QdiscClassesAsync(index, cancellationToken));
        }

        return new HostView
        {
            Interfaces = [.. interfaces],
            Addresses = [.. await socket.AddressesAsync(cancellationToken)],
            Routes = [.. routes],
            Neighbours = [.. await socket.NeighboursAsync(cancellationToken)],
            Qdiscs = [.. qdiscs],
        };
    }
}
