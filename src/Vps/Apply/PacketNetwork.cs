using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Aggregator.Host;
using Aggregator.Netlink;
using Aggregator.Processes;
using Aggregator.Tun;
using Aggregator.Vps.Packets;

namespace Aggregator.Vps.Apply;

/// <summary>
/// The host's part in carrying gateways' packets: for gateway n the interface aggv<i>n</i>, a routing table that leads to it, rules for the mark of its
/// connections and of this host's ICMP errors about its packets, and a conntrack zone of its own for what comes from it, so that two gateways may have the same private addresses. One nftables table
/// translates addresses, keeps gateways from each other, and clamps TCP's segments to the way out.
/// Calls come one at a time.
/// </summary>
internal sealed class PacketNetwork(HostJournal journal, HostSettings settings) : IPacketHost
{
    internal const string TableName = "aggregator_vps";

    private const string JournalKey = "packets";
    private const byte Protocol = 0xA6;
    private const int FirstTable = 0xA700;
    private const uint MarkMask = 0xFFFF0000;
    private const uint MarkBase = 0xA6000000;

    /// <summary>Of packets that come from a gateway: they go where the host routes them, but what the host itself has to say of them goes back to their gateway.</summary>
    private const uint OutMarkBase = 0xA5000000;
    private const uint RulePriority = 10700;

    private static readonly AddressFamily[] Families = [AddressFamily.InterNetwork, AddressFamily.InterNetworkV6];

    private bool _isReady;

    public async Task<PacketInterface> OpenAsync(int number, CancellationToken cancellationToken)
    {
        if (!_isReady)
        {
            journal.Record(JournalKey, TableName);
            if (await LoadAsync(cancellationToken) is { } problem)
            {
                return new PacketInterface(null, false, false, problem);
            }

            await settings.ForwardAsync(forward: true, cancellationToken);
            _isReady = true;
        }

        string name = string.Create(CultureInfo.InvariantCulture, $"aggv{number}");
        var (device, trouble) = await TunSetup.OpenAsync(name, cancellationToken);
        if (device is null)
        {
            return new PacketInterface(null, false, false, trouble);
        }

        // Sources of a gateway are not this host's to judge by its routes: the gateway's filter does.
        var files = new SysctlFiles();
        files.Write(SysctlName.Of("net", "ipv4", "conf", name, "rp_filter"), files.Read(SysctlName.Of("net.ipv4.conf.all.rp_filter")) == "1" ? "2" : "0");
        files.Write(SysctlName.Of("net", "ipv4", "conf", name, "forwarding"), "1");
        files.Write(SysctlName.Of("net", "ipv6", "conf", name, "force_forwarding"), "1");
        using var routes = RouteSocket.Open();
        foreach (var family in Families)
        {
            // EEXIST: a daemon that was killed left it, and it is right.
            _ = await routes.AddRuleAsync(Rule(family, number), cancellationToken);
            _ = await routes.AddRuleAsync(Rule(family, number) with { FirewallMark = OutMark(number), InputInterface = "lo" }, cancellationToken);
        }

        return new PacketInterface(device, await HasDefaultAsync(routes, AddressFamily.InterNetwork, cancellationToken), await HasDefaultAsync(routes, AddressFamily.InterNetworkV6, cancellationToken), null);
    }

    public async Task RouteAsync(int number, string device, ImmutableArray<IPNetwork> networks, CancellationToken cancellationToken)
    {
        using var routes = RouteSocket.Open();
        int index = (await routes.LinksAsync(cancellationToken)).Find(l => l.Name == device)?.Index
            ?? throw new IOException($"the interface {device} is gone");
        uint table = (uint)(FirstTable + number);
        foreach (var family in Families)
        {
            foreach (var old in (await routes.RoutesAsync(family, cancellationToken)).Where(r => r.Table == table && !networks.Contains(r.Destination)))
            {
                await routes.DeleteRouteAsync(old, cancellationToken);
            }
        }

        foreach (var network in networks)
        {
            var result = await routes.ReplaceRouteAsync(RouteInfo.Unicast(network, null, index, table, Protocol), cancellationToken);
            if (!result.IsSuccess)
            {
                throw new IOException($"no route to {network} over {device}: {result}");
            }
        }
    }

    /// <summary>Takes back rules and table; interfaces and their routes went with their devices.</summary>
    internal async Task RemoveAsync(CancellationToken cancellationToken)
    {
        if (!journal.Others.ContainsKey(JournalKey))
        {
            return;
        }

        using var routes = RouteSocket.Open();
        foreach (var family in Families)
        {
            foreach (var rule in (await routes.RulesAsync(family, cancellationToken)).Where(r => r.Protocol == Protocol && r.Priority == RulePriority))
            {
                await routes.DeleteRuleAsync(rule, cancellationToken);
            }
        }

        await Tool.RunAsync("nft", ["delete", "table", "inet", TableName], cancellationToken: cancellationToken);
        await settings.ForwardAsync(forward: false, cancellationToken);
        journal.Forget(JournalKey);
        _isReady = false;
    }

    internal static string Script()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"table inet {TableName}\ndelete table inet {TableName}\ntable inet {TableName} {{\n");

        // Every packet of this host passes the first two chains, so they look its interface up once: a rule for each gateway cost carried flows a fifth of their rate.
        // What comes from gateway n is looked up in zone n; answers, which know of no zone, in the common one, where every translated address is unique.
        Chain(
            text, "zones", "type filter hook prerouting priority raw; policy accept;",
            [$"iifname \"aggv*\" ct original zone set iifname map {{ {Each(n => $"\"aggv{n}\" : {n}")} }}"]);
        foreach (int n in Gateways)
        {
            Chain(text, $"mark_{n}", null, [$"ct mark set ct mark and 0x{~MarkMask:x8} or 0x{Mark(n):x8}", $"meta mark set meta mark and 0x{~MarkMask:x8} or 0x{OutMark(n):x8}"]);
        }

        Chain(
            text,
            "marks",
            "type filter hook prerouting priority mangle; policy accept;",
            [
                $"iifname \"aggv*\" iifname vmap {{ {Each(n => $"\"aggv{n}\" : goto mark_{n}")} }}",
                $"ct mark and 0xff000000 == 0x{MarkBase:x8} meta mark set ct mark",
            ]);
        Chain(
            text,
            "gates",
            "type filter hook forward priority filter; policy accept;",
            [
                "iifname \"aggv*\" oifname \"aggv*\" drop",
                "oifname \"aggv*\" ct state != { established, related } drop",

                // Wrong checksums, TCP out of its window: of no connection, so not translated. It would go out with a private address.
                "iifname \"aggv*\" ct state invalid drop",
                "iifname \"aggv*\" tcp flags syn tcp option maxseg size set rt mtu",
                "oifname \"aggv*\" tcp flags syn tcp option maxseg size set rt mtu",
            ]);
        Chain(text, "nothing_for_us", "type filter hook input priority filter; policy accept;", ["iifname \"aggv*\" ip protocol != icmp drop", "iifname \"aggv*\" ip6 nexthdr != icmpv6 drop"]);
        Chain(text, "translation", "type nat hook postrouting priority srcnat; policy accept;", ["iifname \"aggv*\" masquerade"]);
        return text.Append("}\n").ToString();
    }

    private static uint Mark(int number) => MarkBase | ((uint)number << 16);

    private static uint OutMark(int number) => OutMarkBase | ((uint)number << 16);

    private static RuleInfo Rule(AddressFamily family, int number) => new()
    {
        Family = family,
        Priority = RulePriority,
        Table = (uint)(FirstTable + number),
        FirewallMark = Mark(number),
        FirewallMask = MarkMask,
        Protocol = Protocol,
    };

    private static IEnumerable<int> Gateways => Enumerable.Range(1, PacketDesk.MaxGateways);

    private static string Each(Func<int, string> element) => string.Join(", ", Gateways.Select(element));

    /// <param name="head">Its hook; null: other chains go to it.</param>
    private static void Chain(StringBuilder text, string name, string? head, IReadOnlyList<string> rules)
    {
        text.Append(CultureInfo.InvariantCulture, $"\tchain {name} {{\n");
        if (head is not null)
        {
            text.Append("\t\t").Append(head).Append('\n');
        }

        foreach (string rule in rules)
        {
            text.Append("\t\t").Append(rule).Append('\n');
        }

        text.Append("\t}\n");
    }

    private static async Task<string?> LoadAsync(CancellationToken cancellationToken)
    {
        var loaded = await Tool.RunAsync("nft", ["-f", "-"], Script(), cancellationToken);
        return loaded.Succeeded ? null
            : loaded.ExitCode == 127 ? "the program nft (package nftables) is not installed on the VPS: install it"
            : $"nft on the VPS refuses the rules for packets: {loaded.Error.Trim().Split('\n')[0]}";
    }

    private static async Task<bool> HasDefaultAsync(RouteSocket routes, AddressFamily family, CancellationToken cancellationToken) =>
        (await routes.RoutesAsync(family, cancellationToken)).Exists(r => r is { Table: 254, Destination.PrefixLength: 0, Type: RouteType.Unicast });
}
