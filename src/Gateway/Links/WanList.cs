using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Aggregator.Gateway.Carriers;
using Aggregator.Gateway.Configuration;

namespace Aggregator.Gateway.Links;

/// <summary>The links as the carrier's lanes see them.</summary>
/// <param name="loads">What a speed test leaves out is a backup meanwhile.</param>
internal sealed class WanList(LinkMonitor links, LinkLoads loads) : IWanList
{
    public event Action? Changed
    {
        add
        {
            links.Changed += value;
            loads.Changed += value;
        }

        remove
        {
            links.Changed -= value;
            loads.Changed -= value;
        }
    }

    public ImmutableArray<Wan> Current => [.. links.Current.Links.Select(Of)];

    private Wan Of(Link link) => new(
        link.Name,
        link.Interface,
        link.Index,
        Source(link, AddressFamily.InterNetwork),
        Source(link, AddressFamily.InterNetworkV6),
        link.Role == LinkRole.Active && loads.IsLeftOut(link.Interface) ? LinkRole.Backup : link.Role,
        link.Usable,
        link.RttMs);

    private static IPAddress? Source(Link link, AddressFamily family) => link.NextHop(family) is null ? null : link.Address(family);
}
