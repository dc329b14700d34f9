using System.Collections.Immutable;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Links;

namespace Aggregator.Gateway.Roles;

/// <summary>
/// What each link is used as at a moment, and why, from what was asked for, its schedule, its quota, what it costs, and whether the active ones
/// are full. In this order; a later one never gives back what an earlier one took. Pure.
/// </summary>
internal static class RoleDecision
{
    /// <param name="full">The active links have no room: backups that are for that case help.</param>
    internal static ImmutableDictionary<string, (LinkRole Role, string? Reason)> Decide(
        ImmutableArray<Link> links,
        ImmutableDictionary<string, LinkLimits> limits,
        ImmutableDictionary<string, QuotaReading> quotas,
        DateTime now,
        bool full)
    {
        var roles = new Dictionary<string, (LinkRole Role, string? Reason)>(StringComparer.Ordinal);
        var ended = new HashSet<string>(StringComparer.Ordinal);
        foreach (var link in links)
        {
            var bounds = limits.GetValueOrDefault(link.Name, LinkLimits.None);
            (LinkRole Role, string? Reason) role = (link.AskedRole, null);
            // What the user switched off, a schedule does not switch on.
            if (role.Role != LinkRole.Off && Schedules.At(bounds.Schedule, now) is { } rule && rule.Role != role.Role)
            {
                role = (rule.Role, Schedules.Text(rule));
            }

            if (quotas.GetValueOrDefault(link.Name) is { Exceeded: true } quota && quota.Quota.Then > role.Role)
            {
                role = (quota.Quota.Then, $"its quota is used up: {QuotaGauge.Text(quota.Quota, quota.UsedBytes, quota.Until)}");
                ended.Add(link.Name);
            }

            roles[link.Name] = role;
        }

        AddCosts(links, limits, roles);
        if (full)
        {
            foreach (var link in links.Where(l => roles[l.Name].Role == LinkRole.Backup && !ended.Contains(l.Name) && limits.GetValueOrDefault(l.Name, LinkLimits.None).BackupWhenFull))
            {
                roles[link.Name] = (LinkRole.Active, "the active links are full");
            }
        }

        return roles.Where(r => r.Value.Reason is not null).ToImmutableDictionary(r => r.Key, r => r.Value, StringComparer.Ordinal);
    }

    private static void AddCosts(
        ImmutableArray<Link> links, ImmutableDictionary<string, LinkLimits> limits, Dictionary<string, (LinkRole Role, string? Reason)> roles)
    {
        // A link that is not there makes no other one dear.
        var active = links.Where(l => roles[l.Name].Role == LinkRole.Active && l.Present).ToArray();
        if (active.Length < 2)
        {
            return;
        }

        var cheapest = active.MinBy(l => Cost(l.Name))!;
        foreach (var link in active.Where(l => Cost(l.Name) > Cost(cheapest.Name)))
        {
            roles[link.Name] = (LinkRole.Backup, $"it costs more than {cheapest.Name}");
        }

        int Cost(string name) => limits.GetValueOrDefault(name, LinkLimits.None).Cost;
    }
}
