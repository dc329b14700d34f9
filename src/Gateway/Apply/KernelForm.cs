using Aggregator.Gateway.Links;
using System.Net;
using System.Net.Sockets;
using Aggregator.Gateway.Policy;
using Aggregator.Netlink;

namespace Aggregator.Gateway.Apply;

/// <summary>Policy's routes and rules in the kernel's terms, and back.</summary>
internal static class KernelForm
{
    internal static RouteInfo Of(HostRoute route)
    {
        uint table = (uint)route.Table;
        return route.Kind switch
        {
            HostRouteKind.Local => RouteInfo.LocalDefault(route.Family, table, HostNumbers.Protocol),
            HostRouteKind.Throw => RouteInfo.Unreachable(route.Destination, table, HostNumbers.Protocol) with { Type = RouteType.Throw },
            HostRouteKind.Unreachable => RouteInfo.Unreachable(route.Destination, table, HostNumbers.Protocol),
            HostRouteKind.Unicast => RouteInfo.Unicast(route.Destination, route.Gateway, route.Interface, table, HostNumbers.Protocol, onlink: route.OnLink)
                with { PreferredSource = route.Source },
            _ => throw new InvalidOperationException($"unknown kind {route.Kind}"),
        };
    }

    /// <summary>Null: nothing like this is ever wanted, so there is nothing to compare it with.</summary>
    internal static HostRoute? Of(RouteInfo route)
    {
        HostRouteKind? kind = route.Type switch
        {
            RouteType.Unicast when route.NextHops.IsDefaultOrEmpty => HostRouteKind.Unicast,
            RouteType.Local => HostRouteKind.Local,
            RouteType.Throw => HostRouteKind.Throw,
            RouteType.Unreachable => HostRouteKind.Unreachable,
            _ => null,
        };
        return kind is null
            ? null
            : new HostRoute(
                (int)route.Table,
                route.Destination,
                kind.Value,
                // IPv6 shows the loopback for a route without interface.
                kind is HostRouteKind.Throw or HostRouteKind.Unreachable ? 0 : route.InterfaceIndex,
                Gateway: route.Gateway,
                Source: route.PreferredSource,
                OnLink: route.Flags.HasFlag(NextHopFlags.Onlink));
    }

    internal static RuleInfo Of(HostRule rule) => new()
    {
        Family = rule.Family,
        Priority = rule.Priority,
        Table = (uint)rule.Table,
        Source = rule.From is null ? null : new IPNetwork(rule.From, rule.Family == AddressFamily.InterNetwork ? 32 : 128),
        OutputInterface = rule.OutDevice,
        InputInterface = rule.InDevice,
        FirewallMark = rule.Mark,
        FirewallMask = rule.Mask,
        Protocol = HostNumbers.Protocol,
    };

    /// <summary>Null: not of a shape that policy makes.</summary>
    internal static HostRule? Of(RuleInfo rule)
    {
        bool plain = rule is
        {
            Action: RuleAction.ToTable, Destination: null, Inverted: false, IpProtocol: 0, SuppressPrefixLength: null,
        };
        int bits = rule.Family == AddressFamily.InterNetwork ? 32 : 128;
        if (!plain || (rule.Source is { } source && source.PrefixLength != bits))
        {
            return null;
        }

        return new HostRule(
            rule.Family,
            rule.Priority,
            (int)rule.Table,
            rule.Source?.BaseAddress,
            rule.OutputInterface,
            rule.InputInterface,
            rule.FirewallMark,
            rule.FirewallMask);
    }
}
