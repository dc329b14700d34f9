using System.Collections.Immutable;
using System.Net.Sockets;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Links;

namespace Aggregator.Gateway.Policy;

/// <summary>What the host needs so that packets can go out over one WAN by a mark (direct traffic, `use`), and direct traffic itself. Pure.</summary>
internal static class DirectPolicy
{
    /// <summary>
    /// A rule for each WAN by its mark. While the WAN is away the mark leads to a table that refuses, so that what belongs to one WAN never leaves
    /// over another.
    /// </summary>
    internal static void AddMarks(LinkSnapshot links, List<HostRoute> routes, List<HostRule> rules)
    {
        foreach (var family in (ReadOnlySpan<AddressFamily>)[AddressFamily.InterNetwork, AddressFamily.InterNetworkV6])
        {
            // A host without IPv6 takes no route of it; and where no WAN has it, nothing can leave by a wrong one.
            if (links.Links.IsEmpty || (family == AddressFamily.InterNetworkV6 && links.Links.All(l => l.Address(family) is null)))
            {
                continue;
            }

            routes.Add(new HostRoute(HostNumbers.RefusingTable, Networks.All(family), HostRouteKind.Unreachable));
            foreach (var network in links.LocalNetworks.Where(n => n.BaseAddress.AddressFamily == family))
            {
                // To the LAN all the same.
                routes.Add(new HostRoute(HostNumbers.RefusingTable, network, HostRouteKind.Throw));
            }

            foreach (var link in links.Links)
            {
                bool reaches = link.Present && link.Carrier && link.Address(family) is not null && link.NextHop(family) is not null;
                rules.Add(new HostRule(
                    family,
                    HostNumbers.DirectRule,
                    reaches ? HostNumbers.FirstTable + link.Slot : HostNumbers.RefusingTable,
                    Mark: HostNumbers.DirectMarkOf(link.Slot),
                    Mask: HostNumbers.DirectMask));
            }
        }
    }

    /// <summary>Null: nothing of the LAN's goes out directly, ever.</summary>
    internal static DirectTable? Table(PolicyInput input)
    {
        var config = input.Config;
        if (config.Lan.IsEmpty || !(config.Direct.IsFallback || config.Direct.Always) || input.Links.Links.IsEmpty)
        {
            return null;
        }

        ImmutableArray<Link> known = [.. input.Links.Links.Where(l => InterfaceName.IsValid(l.Interface))];
        return new DirectTable(
            config.Lan,
            [.. known.Select(Out)],
            input.Links.ConnectedNetworks,
            Ways(AddressFamily.InterNetwork),
            Ways(AddressFamily.InterNetworkV6),
            config.Direct.Sticky,
            DirectConfig.LooseSticky);

        ImmutableArray<DirectOut> Ways(AddressFamily family) =>
            input.IsDirect ? [.. input.Links.WaysOut(family).Where(known.Contains).Select(Out)] : [];

        DirectOut Out(Link link) => new(link.Slot, link.Interface, input.Limits.GetValueOrDefault(link.Name, LinkLimits.None).Weight);
    }
}
