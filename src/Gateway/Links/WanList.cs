using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Aggregator.Gateway.Carriers;

namespace Aggregator.Gateway.Links;

/// <summary>The links as the carrier's lanes see them.</summary>
internal sealed class WanList(LinkMonitor links) : IWanList
{
    public event Action? Changed
    {
        add => links.Changed += value;
        remove => links.Changed -= value;
    }

    public ImmutableArray<Wan> Current => [.. links.Current.Links.Select(Of)];

    private static Wan Of(Link link) => new(
        link.Name,
        link.Interface,
        link.Index,
        Source(link, AddressFamily.InterNetwork),
        Source(link, AddressFamily.InterNetworkV6),
        link.Role,
        link.Usable,
        link.RttMs);

    private static IPAddress? Source(Link link, AddressFamily family) => link.NextHop(family) is null ? null : link.Address(family);
}
