using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Links;
using Aggregator.Host;

namespace Aggregator.Gateway.Policy;

/// <summary>Decides what the host should look like. Pure: the same input gives the same state.</summary>
internal static class HostPolicy
{
    /// <summary>The kernel's limit up to 6.18 (MPTCP_PM_ADDR_MAX).</summary>
    internal const int MaxEndpoints = 8;

    internal static DesiredState Decide(PolicyInput input)
    {
        var routes = new List<HostRoute>();
        var rules = new List<HostRule>();
        var warnings = new List<HostWarning>();
        foreach (var link in input.Links.Links)
        {
            AddRouting(link, input.Links.LocalNetworks, routes, rules);
        }

        DirectPolicy.AddMarks(input.Links, routes, rules);
        TunnelPolicy.Add(input, routes, rules);
        bool transparent = AddTproxy(input, routes, rules, warnings, out var tproxy);
        if (!input.Host.Mptcp)
        {
            warnings.Add(new HostWarning("no-mptcp", "this kernel has no MPTCP: connections use one WAN at a time; run a kernel with CONFIG_MPTCP (any distribution's 6.1 or later has it)"));
        }

        foreach (string missing in input.Links.MissingInterfaces)
        {
            warnings.Add(new HostWarning("lan-missing", $"the LAN interface {missing} does not exist"));
        }

        foreach (var link in input.Links.Links.Where(l => !l.Present))
        {
            warnings.Add(new HostWarning("wan-missing", $"{link.Name}: the interface {link.Interface} does not exist"));
        }

        // Lanes' paths are opened for each connection by itself; an endpoint would open more on every connection.
        ImmutableArray<HostEndpoint> endpoints = input.Host.Mptcp && !HasLanes(input) ? Endpoints(input, warnings) : [];
        bool byConnection = IsByConnection(input.Config, input.Host);
        return new DesiredState
        {
            Routes = [.. routes],
            Rules = [.. rules],
            Endpoints = byConnection ? [] : endpoints,
            Paths = byConnection ? endpoints : [],
            MptcpLimits = input.Host.Mptcp ? new HostMptcpLimits(8, 8) : null,
            Sysctls = Sysctls(input),
            Tproxy = transparent ? tproxy : null,
            Direct = DirectPolicy.Table(input),
            Caps = [.. input.Links.Links
                .Where(l => l.Present && InterfaceName.IsValid(l.Interface))
                .Select(l => (Link: l, input.Limits.GetValueOrDefault(l.Name, LinkLimits.None).Cap))
                .Where(l => !l.Cap.IsNone)
                .Select(l => new HostCap(l.Link.Interface, l.Link.Index, l.Link.Slot, l.Cap.DownBitsPerSecond, l.Cap.UpBitsPerSecond))],
            LeadingOut = [.. input.Links.Links.Where(input.Links.LeadsOut).Select(l => l.Slot)],
            Warnings = [.. warnings],
        };
    }

    /// <summary>A WAN's table and rules. They stay while the WAN is down: probes need them to see it come back.</summary>
    private static void AddRouting(Link link, ImmutableArray<IPNetwork> localNetworks, List<HostRoute> routes, List<HostRule> rules)
    {
        if (!link.Present || !link.Carrier)
        {
            return;
        }

        int table = HostNumbers.FirstTable + link.Slot;
        foreach (var family in (ReadOnlySpan<AddressFamily>)[AddressFamily.InterNetwork, AddressFamily.InterNetworkV6])
        {
            if (link.Address(family) is not { } source)
            {
                continue;
            }

            var addresses = link.Addresses.Where(a => a.Address.AddressFamily == family).ToArray();
            var connected = addresses.Select(a => a.Network).Distinct().ToArray();
            foreach (var network in connected.Where(n => n.PrefixLength < Networks.Bits(family)))
            {
                // IPv6 chooses its source by RFC 6724; a preferred source would only tie the route to one address.
                routes.Add(new HostRoute(table, network, HostRouteKind.Unicast, link.Index, link.Interface, Source: family == AddressFamily.InterNetwork ? addresses.First(a => a.Network.Equals(network)).Address : null));
            }

            // Answers from a WAN's address to a client of the LAN go back into the LAN.
            foreach (var network in localNetworks.Where(n => n.BaseAddress.AddressFamily == family && !connected.Contains(n)))
            {
                routes.Add(new HostRoute(table, network, HostRouteKind.Throw));
            }

            if (link.NextHop(family) is { } hop)
            {
                bool onLink = hop.Gateway is { IsIPv6LinkLocal: false } gateway && !connected.Any(n => n.Contains(gateway));
                routes.Add(new HostRoute(
                    table,
                    Networks.All(family),
                    HostRouteKind.Unicast,
                    link.Index,
                    link.Interface,
                    hop.Gateway,
                    family == AddressFamily.InterNetwork ? source : null,
                    onLink));
            }

            rules.AddRange(addresses.Select(a => new HostRule(family, HostNumbers.SourceRule, table, From: a.Address)));
            rules.Add(new HostRule(family, HostNumbers.DeviceRule, table, OutDevice: link.Interface));
        }
    }

    private static bool AddTproxy(PolicyInput input, List<HostRoute> routes, List<HostRule> rules, List<HostWarning> warnings, out TproxyTable? table)
    {
        table = null;
        var config = input.Config;
        if (!config.Ingress.Transparent)
        {
            return false;
        }

        if (config.Lan.IsEmpty)
        {
            warnings.Add(new HostWarning("transparent-without-lan", "ingress.transparent is on, but `lan` names no interface"));
            return false;
        }

        var tunnel = TunnelPolicy.For(input);
        if (input.TransparentV4 is null && input.TransparentV6 is null && tunnel is null)
        {
            // Nobody would answer: clients keep the way that the host gives them.
            return false;
        }

        table = new TproxyTable(config.Lan, input.TransparentV4, input.TransparentV6, input.Links.ConnectedNetworks)
        {
            Tunnel = tunnel,
            WholeIp = config.Ingress.WholeIp,
        };
        foreach (var listener in (ReadOnlySpan<IPEndPoint?>)[input.TransparentV4, input.TransparentV6])
        {
            if (listener is null)
            {
                continue;
            }

            var family = listener.AddressFamily;
            routes.Add(new HostRoute(HostNumbers.TproxyTable, Networks.All(family), HostRouteKind.Local, HostFactsReader.LoopbackIndex, "lo"));
            // Bound to the LAN's interfaces, so that reverse path checks of marked packets (src_valid_mark) do not meet it.
            rules.AddRange(config.Lan.Select(lan => new HostRule(
                family, HostNumbers.TproxyRule, HostNumbers.TproxyTable, InDevice: lan, Mark: HostNumbers.TproxyMark, Mask: HostNumbers.TproxyMask)));
        }

        return true;
    }

    private static ImmutableArray<HostEndpoint> Endpoints(PolicyInput input, List<HostWarning> warnings)
    {
        var families = input.NodeFamilies.IsEmpty ? [AddressFamily.InterNetwork, AddressFamily.InterNetworkV6] : input.NodeFamilies;
        var endpoints = new List<HostEndpoint>();
        var left = new List<string>();
        bool unimpaired = input.Links.Links.Any(l => l is { Usable: true, Role: LinkRole.Active, Impaired: false });
        // Family by family: with more addresses than the kernel takes, every WAN has one before any has two.
        foreach (var family in families.Distinct())
        {
            foreach (var link in input.Links.Links.OrderBy(l => l.Role))
            {
                if (!link.Usable || link.NextHop(family) is null || link.Address(family) is not { } address)
                {
                    continue;
                }

                if (endpoints.FirstOrDefault(e => e.Address.Equals(address)) is { } twin)
                {
                    warnings.Add(new HostWarning(
                        "same-address", $"{link.Name} has the address {address} of {twin.Device} too; connections join over one of them only: change the subnet of one router"));
                    continue;
                }

                if (endpoints.Count == MaxEndpoints)
                {
                    left.Add($"{address} ({link.Name})");
                    continue;
                }

                // One that loses or delays too much holds up what it is given a part of: the kernel's scheduler looks at no round trip.
                bool backup = link.Role == LinkRole.Backup || LinkLoads.GivesWay(link, input.Links, input.Loads) || (link.Impaired && unimpaired);
                endpoints.Add(new HostEndpoint(address, link.Index, link.Interface, backup));
            }
        }

        if (left.Count > 0)
        {
            warnings.Add(new HostWarning("mptcp-endpoints", $"the kernel takes {MaxEndpoints} MPTCP endpoints; left out: {string.Join(", ", left)}"));
        }

        return [.. endpoints];
    }

    private static ImmutableArray<SysctlSetting> Sysctls(PolicyInput input)
    {
        var settings = new List<SysctlSetting>
        {
            new(SysctlName.Of("net.ipv4.tcp_rmem"), $"{Number(BufferSizes.FirstReceive(input.Host.MemoryBytes))} {Number(BufferSizes.Receive(input.WorstRttMs, input.Host.MemoryBytes))}", SysctlRule.AtLeast),
            new(SysctlName.Of("net.ipv4.tcp_wmem"), Number(BufferSizes.Send(input.WorstRttMs, input.Host.MemoryBytes)), SysctlRule.AtLeast),
            // A pool's connection must not start from the beginning because it waited.
            new(SysctlName.Of("net.ipv4.tcp_slow_start_after_idle"), "0"),
            // Lines with a smaller MTU (PPPoE) whose routers eat the ICMP that says so.
            new(SysctlName.Of("net.ipv4.tcp_mtu_probing"), "1", SysctlRule.AtLeast),
        };
        if (input.Host.Mptcp)
        {
            settings.AddRange([
                new(SysctlName.Of("net.mptcp.enabled"), "1"),
                // We open each connection's paths ourselves (1), or the kernel does it for all, by endpoints (0), also where mptcpd was before us.
                // path_manager is its name since 6.15.
                new(SysctlName.Of("net.mptcp.pm_type"), IsByConnection(input.Config, input.Host) ? "1" : "0"),
                // Or one bad WAN switches MPTCP off in the whole namespace for an hour (Linux 6.12).
                new(SysctlName.Of("net.mptcp.blackhole_timeout"), "0"),
                // Data leaves a path without acknowledgements after two losses in place of four; it comes back with the first acknowledgement.
                // A lane's bytes stay on their own WAN as long as they can: the trunk knows better where to send them again.
                new(SysctlName.Of("net.mptcp.stale_loss_cnt"), HasLanes(input) ? "4" : "2"),
            ]);
        }

        foreach (var link in input.Links.Links.Where(l => InterfaceName.IsValid(l.Interface)))
        {
            // Answers may come in over another WAN than the main table would send out on.
            settings.Add(new SysctlSetting(
                SysctlName.Of("net", "ipv4", "conf", link.Interface, "rp_filter"), "2", input.Host.StrictReversePath ? SysctlRule.Exact : SysctlRule.InPlaceOfOne));
            // While a WAN is away its gateway is asked for once a second by default; its return would be seen that much later.
            settings.Add(new SysctlSetting(SysctlName.Of("net", "ipv4", "neigh", link.Interface, "retrans_time_ms"), NeighbourRetransmitMs));
            settings.Add(new SysctlSetting(SysctlName.Of("net", "ipv6", "neigh", link.Interface, "retrans_time_ms"), NeighbourRetransmitMs));
            if (SharesNetwork(link, input.Links))
            {
                // Or each interface answers for the other's address, and the router sends one WAN's packets to the other.
                settings.Add(new SysctlSetting(SysctlName.Of("net", "ipv4", "conf", link.Interface, "arp_ignore"), "1"));
                settings.Add(new SysctlSetting(SysctlName.Of("net", "ipv4", "conf", link.Interface, "arp_announce"), "2"));
            }
        }

        settings.AddRange(TunnelPolicy.Settings(input));
        return [.. settings];
    }

    private static bool SharesNetwork(Link link, LinkSnapshot links) => link.Addresses
        .Where(a => a.Address.AddressFamily == AddressFamily.InterNetwork)
        .Any(a => links.Links.Any(l => l.Interface != link.Interface && l.Addresses.Any(b => b.Network.Equals(a.Network))));

    /// <summary>As the status shows it.</summary>
    internal static string PathManager(GatewayConfig config, HostFacts host) =>
        !host.Mptcp ? "none"
        : IsByConnection(config, host) ? "by connection"
        : config.Carrier == GatewayConfig.TrunkCarrier ? "none"
        : "endpoints";

    /// <summary>Each connection's subflows are opened by us; else by the kernel for all alike, or, for lanes, not at all.</summary>
    internal static bool IsByConnection(GatewayConfig config, HostFacts host) =>
        host.Mptcp && host.PathManagerByConnection && (config.Carrier == GatewayConfig.TrunkCarrier || !config.PathsByKernel);

    private static bool HasLanes(PolicyInput input) => input.Config.Carrier == GatewayConfig.TrunkCarrier;

    /// <summary>Whole ticks at every CONFIG_HZ, so that the kernel reads back what was written.</summary>
    private const string NeighbourRetransmitMs = "200";

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);
}
