using System.Collections.Immutable;
using System.Globalization;
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
                return new ProbePath(link.Interface, link.Index, source, target, link.NextHop(target.AddressFamily)?.Gateway);
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
            ? link with { State = LinkState.Up, Checking = true, Reason = PathTracker.Waiting }
            : link with
            {
                State = health.State,
                Reason = health.State == LinkState.Down && health.OtherAnswers is { } other ? $"{health.Reason}; {other} answers" : health.Reason,
                RttMs = health.RttMs,
                JitterMs = health.JitterMs,
                LossRatio = health.LossRatio,
                Checking = health.Checking,
                Impaired = health.Impaired,
                NextHopAnswers = health.NextHopAnswers,
                LineAlive = health.Checking ? null : health.State != LinkState.Down || health.OtherAnswers is not null,
            };
    }

    /// <summary>
    /// What follows from the links together. A link that is held back because it flaps is used after all where no other works; and where the VPS
    /// answers over none, it is the VPS that is away, and a link whose next hop answers may well work.
    /// </summary>
    internal static ImmutableArray<Link> Settle(ImmutableArray<Link> links)
    {
        bool otherWorks = links.Any(l => IsInUse(l) && l.HeldFor is null);
        bool vpsAnswers = links.Any(l => IsInUse(l) && !l.Checking);
        return [.. links.Select(One)];

        Link One(Link link)
        {
            if (link.HeldFor is { } hold && link.State != LinkState.Down)
            {
                string seconds = string.Create(CultureInfo.InvariantCulture, $"{hold.TotalSeconds:0} s");
                return otherWorks
                    ? link with { State = LinkState.Down, Impaired = false, Reason = $"it comes and goes; it is used when it has held for {seconds}" }
                    : link with { State = LinkState.Degraded, Reason = "it comes and goes; there is no other link" };
            }

            return link is { State: LinkState.Down, LineAlive: false, NextHopAnswers: true } && !vpsAnswers
                ? link with { LineAlive = true, Reason = $"{link.Reason} over any link; its gateway answers" }
                : link;
        }
    }

    private static bool IsInUse(Link link) => link.Role != LinkRole.Off && link.Present && link.State != LinkState.Down;
}
