using Aggregator.Gateway.Policy;

namespace Aggregator.Gateway.Apply;

/// <summary>
/// The changes that lead from what is to what should be, in an order in which each can succeed: endpoints that are in the way first
/// (traffic leaves a dead WAN at once), then routes before the rules that lead to them, then the rest of the old, new endpoints last.
/// Pure. What is not ours is left alone, and serves where it is the same as what is wanted.
/// </summary>
internal static class HostDiff
{
    internal static IReadOnlyList<HostOperation> Compute(DesiredState desired, ActualState actual)
    {
        var operations = new List<HostOperation>();

        var endpoints = desired.Endpoints.ToDictionary(e => e.Address);
        var kept = new HashSet<HostEndpoint>();
        foreach (var found in actual.Endpoints)
        {
            bool wanted = endpoints.TryGetValue(found.Item.Address, out var endpoint);
            if (wanted && (!found.Ours || found.Item.Interface == endpoint!.Interface))
            {
                kept.Add(endpoint!);
                if (found.Ours && found.Item.Backup != endpoint!.Backup)
                {
                    operations.Add(new HostOperation.ChangeEndpoint(endpoint, found.Id));
                }
            }
            else if (found.Ours)
            {
                operations.Add(new HostOperation.DeleteEndpoint(found.Item, found.Id));
            }
        }

        var routes = desired.Routes.DistinctBy(r => r.Key).ToDictionary(r => r.Key);
        var routesThere = new HashSet<RouteKey>();
        var oldRoutes = new List<HostRoute>();
        foreach (var found in actual.Routes)
        {
            bool wanted = routes.TryGetValue(found.Item.Key, out var route);
            if (!found.Ours || (wanted && route!.Equals(found.Item)))
            {
                routesThere.Add(found.Item.Key);
            }
            else if (wanted)
            {
                // The place must be free for the new one.
                operations.Add(new HostOperation.DeleteRoute(found.Item));
            }
            else
            {
                oldRoutes.Add(found.Item);
            }
        }

        // Connected networks before the default, whose gateway is found through them.
        operations.AddRange(routes.Values
            .Where(r => !routesThere.Contains(r.Key))
            .OrderByDescending(r => r.Destination.PrefixLength)
            .Select(r => new HostOperation.AddRoute(r)));

        var rulesThere = actual.Rules.Select(r => r.Item).ToHashSet();
        var rules = desired.Rules.ToHashSet();
        operations.AddRange(desired.Rules.Distinct().Where(r => !rulesThere.Contains(r)).Select(r => new HostOperation.AddRule(r)));
        operations.AddRange(actual.Rules.Where(r => r.Ours && !rules.Contains(r.Item)).Select(r => new HostOperation.DeleteRule(r.Item)));
        operations.AddRange(oldRoutes.Select(r => new HostOperation.DeleteRoute(r)));

        if (desired.MptcpLimits is { } least && actual.MptcpLimits is { } had)
        {
            // Raised, never lowered: others may need more.
            var limits = new HostMptcpLimits(Math.Max(least.Subflows, had.Subflows), Math.Max(least.AddAddressesAccepted, had.AddAddressesAccepted));
            if (limits != had)
            {
                operations.Add(new HostOperation.SetLimits(limits, had));
            }
        }

        operations.AddRange(desired.Endpoints.Where(e => !kept.Contains(e)).Select(e => new HostOperation.AddEndpoint(e)));
        return operations;
    }
}
