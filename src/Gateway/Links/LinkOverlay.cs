using Aggregator.Gateway.Configuration;

namespace Aggregator.Gateway.Links;

/// <summary>What is known of a link beyond the host and the probes: what it may be used as, and what speaks against it.</summary>
/// <param name="Role">In place of the role that was asked for; null: that one.</param>
/// <param name="RoleReason">Why, for people; with <paramref name="Role"/>.</param>
/// <param name="Degraded">What makes a link that works a poor one; null: nothing.</param>
/// <param name="Portal">A captive portal answers there; what it says of itself, for people. Null: none.</param>
internal sealed record LinkOverlay(LinkRole? Role = null, string? RoleReason = null, string? Degraded = null, string? Portal = null)
{
    internal const string PortalReason = "captive portal";

    /// <summary>Before health is joined: a link that is off is not probed.</summary>
    internal Link Limit(Link link) => Role is { } role && role != link.AskedRole ? link with { Role = role, RoleReason = RoleReason } : link;

    /// <summary>
    /// After health was joined. A portal makes a dead link a degraded one, because a person can do something about it, but not a usable one:
    /// only if the VPS answers through it (many portals let VPNs pass) does it carry.
    /// </summary>
    internal Link Degrade(Link link)
    {
        if (Portal is { } portal && link is { Present: true, Carrier: true, Addresses.IsEmpty: false } && link.Role != LinkRole.Off)
        {
            return link with
            {
                State = LinkState.Degraded,
                Reason = portal.Length > 0 ? $"{PortalReason} ({portal})" : PortalReason,
                BehindPortal = link.State == LinkState.Down,
                Checking = false,
            };
        }

        return Degraded is { } why && link.State == LinkState.Up ? link with { State = LinkState.Degraded, Reason = why } : link;
    }
}
