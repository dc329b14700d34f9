using System.Collections.Immutable;
using System.Net;
using Aggregator.Gateway.Configuration;

namespace Aggregator.Gateway.Links;

/// <summary>Joins what the host shows of a link with what its probe says. Pure.</summary>
internal static class LinkHealth
{
    /// <summary>The path to probe for a link; null when there is nothing to probe or nothing to probe with.</summary>
    /// <param name="targets">Where the VPS is, the preferred first.</param>
    internal static ProbePath? PathOf(Link link, ImmutableArray<IPEndPoint> targets)
    {
        if (link.Role == LinkRole.Off || !link.Present || !link.Carrier)
        {
            return null;
        }

        foreach (var target in targets)
        {
            if (link.Address(target.AddressFamily) is { } source && link.NextHop(target.AddressFamily) is not null)
            {
                return new ProbePath(link.Interface, link.Index, source, target);
            }
        }

        return null;
    }

    internal static Link Join(Link link, ImmutableArray<IPEndPoint> targets, PathHealth? health)
    {
        if (link.Reason is not null)
        {
            // The host itself shows that it cannot work.
            return link with { State = LinkState.Down };
        }

        if (link.V4 is null && link.V6 is null)
        {
            return link with { State = LinkState.Down, Reason = "no gateway is known" };
        }

        if (link.Role == LinkRole.Off || targets.IsEmpty)
        {
            // Nothing is known beyond the host: a line that is off may cost money, and an unpaired gateway has nobody to ask.
            return link with { State = LinkState.Up };
        }

        if (PathOf(link, targets) is null)
        {
            return link with { State = LinkState.Down, Reason = "it has no address of the VPS's family" };
        }

        return health is null
            ? link with { State = LinkState.Up, Checking = true, Reason = ProbeTracker.Waiting }
            : link with
            {
                State = health.State,
                Reason = health.Reason,
                RttMs = health.RttMs,
                LossRatio = health.LossRatio,
                Checking = health.Checking,
            };
    }
}
