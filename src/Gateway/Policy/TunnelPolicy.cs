using System.Collections.Immutable;
using System.Net.Sockets;
using Aggregator.Gateway.Links;
using Aggregator.Host;

namespace Aggregator.Gateway.Policy;

/// <summary>What the host needs so that the LAN's packets reach the tunnel and come back. Pure.</summary>
internal static class TunnelPolicy
{
    /// <summary>Null: nothing is led into the tunnel now.</summary>
    internal static TunnelUse? For(PolicyInput input) =>
        input is { Config: { Ingress.Transparent: true, Lan.IsEmpty: false }, IsDirect: false } && InterfaceNamesAreValid(input) ? input.Tunnel : null;

    /// <summary>A table with one way, a rule for this host's own sockets there, and where the LAN is led one for its marked packets.</summary>
    internal static void Add(PolicyInput input, List<HostRoute> routes, List<HostRule> rules)
    {
        if (Own(input) is not { } tunnel)
        {
            return;
        }

        ImmutableArray<string> lans = For(input) is null ? [] : input.Config.Lan;

        foreach (var family in (ReadOnlySpan<AddressFamily>)[AddressFamily.InterNetwork, AddressFamily.InterNetworkV6])
        {
            if (tunnel.Has(family))
            {
                routes.Add(new HostRoute(HostNumbers.TunnelTable, Networks.All(family), HostRouteKind.Unicast, tunnel.Index, tunnel.Device));
                rules.Add(new HostRule(family, HostNumbers.TunnelRule, HostNumbers.TunnelTable, OutDevice: tunnel.Device));
                rules.AddRange(lans.Select(lan => new HostRule(
                    family, HostNumbers.TunnelRule, HostNumbers.TunnelTable, InDevice: lan, Mark: HostNumbers.TunnelMark, Mask: HostNumbers.TproxyMask)));
            }
        }
    }

    /// <summary>
    /// Forwarding between LAN and tunnel, and no more: of IPv4 each interface has its own switch, of IPv6 since Linux 6.17; before that only the
    /// host as a whole has one, which also stops router advertisements from being heard, so it is left to the administrator.
    /// </summary>
    internal static IEnumerable<SysctlSetting> Settings(PolicyInput input)
    {
        if (Own(input) is not { } tunnel)
        {
            yield break;
        }

        foreach (string name in For(input) is null ? [] : input.Config.Lan.Append(tunnel.Device))
        {
            yield return new SysctlSetting(SysctlName.Of("net", "ipv4", "conf", name, "forwarding"), "1");
            yield return new SysctlSetting(SysctlName.Of("net", "ipv6", "conf", name, "force_forwarding"), "1");
        }

        // Answers come from everywhere, and the main table would send to their senders over a WAN.
        yield return new SysctlSetting(SysctlName.Of("net", "ipv4", "conf", tunnel.Device, "rp_filter"), input.Host.StrictReversePath ? "2" : "0");
    }

    /// <summary>For this host's own sockets.</summary>
    private static TunnelUse? Own(PolicyInput input) => input.IsDirect ? null : input.Tunnel;

    private static bool InterfaceNamesAreValid(PolicyInput input) => input.Config.Lan.All(InterfaceName.IsValid);
}
