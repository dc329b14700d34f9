using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Aggregator.Gateway.Carriers;
using Aggregator.Gateway.Configuration;

namespace Aggregator.Gateway.Links;

/// <summary>The links as the carrier's lanes see them.</summary>
/// <param name="loads">What a speed test leaves out or loads is a backup meanwhile, the latter where another link is about as quick.</param>
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

    public ImmutableArray<Wan> Current
    {
        get
        {
            LinkSnapshot now = links.Current;
            return [.. now.Links.Select(l => Of(l, now))];
        }
    }

    private Wan Of(Link link, LinkSnapshot all) => new(
        link.Name,
        link.Interface,
        link.Index,
        Source(link, AddressFamily.InterNetwork),
        Source(link, AddressFamily.InterNetworkV6),
        link.Role == LinkRole.Active && LinkLoads.GivesWay(link, all, loads.Current) ? LinkRole.Backup : link.Role,
        link.Usable,
        link.RttMs);

    private static IPAddress? Source(Link link, AddressFamily family) => link.NextHop(family) is null ? null : link.Address(family);
}
