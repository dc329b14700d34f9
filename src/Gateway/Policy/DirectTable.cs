using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Aggregator.Gateway.Links;

namespace Aggregator.Gateway.Policy;

/// <summary>
/// The nftables table for the LAN's packets that no listener takes (UDP, ICMP, and TCP where it is not transparent) while traffic goes out
/// directly: each new connection is given a WAN by weight and keeps it, as a mark on the connection; the mark leads to the WAN's table, and the
/// WAN's own address is put in. It stays while nothing new is to go out directly, so that what has begun finishes where it is.
/// </summary>
/// <param name="Lan">Interfaces whose packets are meant.</param>
/// <param name="Wans">All that may carry, for the address translation.</param>
/// <param name="Near">Networks that are reached without a WAN's default route.</param>
/// <param name="V4">Where new IPv4 connections go; empty: as the host routes them.</param>
/// <param name="V6">The same for IPv6.</param>
/// <param name="Sticky">How long a client keeps its WAN whatever the balance; null: for <paramref name="Loose"/>, and a few connections.</param>
internal sealed record DirectTable(
    ImmutableArray<string> Lan, ImmutableArray<DirectOut> Wans, ImmutableArray<IPNetwork> Near,
    ImmutableArray<DirectOut> V4, ImmutableArray<DirectOut> V6, TimeSpan? Sticky, TimeSpan Loose)
{
    /// <summary>By whose name the table is known as ours, also when the state directory is lost.</summary>
    internal const string MarkerChain = "aggregator_gateway_direct";

    /// <summary>A client's connections in a minute that stay together; beyond, each goes by weight.</summary>
    private const int CalmConnections = 16;

    /// <summary>Clients remembered, each in some tens of bytes of the kernel's.</summary>
    private const int MaxClients = 4096;

    internal string Script()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"table inet {HostNumbers.DirectNftTable}\ndelete table inet {HostNumbers.DirectNftTable}\n");
        return text.Append(this).ToString();
    }

    public override string ToString()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"table inet {HostNumbers.DirectNftTable} {{\n");
        foreach (var way in Wans)
        {
            string mark = HostNumbers.DirectMarkOf(way.Slot).ToString("x8", CultureInfo.InvariantCulture);
            string set = $"mark set {{0}} mark and 0x{~HostNumbers.DirectMask:x8} or 0x{mark}";
            Chain(text, $"way{way.Slot}", string.Format(CultureInfo.InvariantCulture, "meta " + set, "meta"), string.Format(CultureInfo.InvariantCulture, "ct " + set, "ct"), "accept");
        }

        Pick(text, "4", "ip", "ipv4_addr", V4);
        Pick(text, "6", "ip6", "ipv6_addr", V6);
        var rules = new List<string>
        {
            $"type filter hook prerouting priority mangle + 1; policy accept;",
            $"iifname != {{ {string.Join(", ", Lan.Select(Quoted))} }} return",
            // What a transparent listener takes.
            string.Create(CultureInfo.InvariantCulture, $"meta mark and 0x{HostNumbers.TproxyMask:x8} == 0x{HostNumbers.TproxyMark:x8} return"),
        };
        rules.AddRange(Wans.Select(w => string.Create(
            CultureInfo.InvariantCulture, $"ct mark and 0x{HostNumbers.DirectMask:x8} == 0x{HostNumbers.DirectMarkOf(w.Slot):x8} goto way{w.Slot}")));
        if (!V4.IsEmpty || !V6.IsEmpty)
        {
            rules.Add("ct state != new return");
            rules.Add("fib daddr type { local, broadcast, anycast, multicast } return");
            AddNear(rules, "ip", AddressFamily.InterNetwork, "169.254.0.0/16");
            AddNear(rules, "ip6", AddressFamily.InterNetworkV6, "fe80::/10");
            rules.AddRange(V4.IsEmpty ? [] : ["meta nfproto ipv4 goto pick4"]);
            rules.AddRange(V6.IsEmpty ? [] : ["meta nfproto ipv6 goto pick6"]);
        }

        Chain(text, MarkerChain, [.. rules]);
        if (!Wans.IsEmpty)
        {
            Chain(
                text,
                MarkerChain + "_nat",
                "type nat hook postrouting priority srcnat; policy accept;",
                string.Create(CultureInfo.InvariantCulture, $"ct mark and 0x{HostNumbers.DirectMask:x8} != 0 oifname {{ {string.Join(", ", Wans.Select(w => Quoted(w.Interface)))} }} masquerade"));
        }

        return text.Append("}\n").ToString();
    }

    public bool Equals(DirectTable? other) => other is not null && ToString() == other.ToString();

    public override int GetHashCode() => HashCode.Combine(Lan.Length, Wans.Length, V4.Length, V6.Length);

    private void Pick(StringBuilder text, string suffix, string keyword, string type, ImmutableArray<DirectOut> ways)
    {
        if (ways.IsEmpty)
        {
            return;
        }

        string age = string.Create(CultureInfo.InvariantCulture, $"{(long)Math.Ceiling((Sticky ?? Loose).TotalSeconds)}s");
        string set = $"{{ type {type}; size {MaxClients}; flags dynamic,timeout; timeout {age}; }}";
        // A stated time runs from the latest connection, the loose one from the first.
        string remember = Sticky is null ? "add" : "update";
        foreach (var way in ways)
        {
            text.Append(CultureInfo.InvariantCulture, $"\tset kept{way.Slot}_{suffix} {set}\n");
        }

        foreach (var way in ways)
        {
            Chain(text, $"pin{way.Slot}_{suffix}", $"{remember} @kept{way.Slot}_{suffix} {{ {keyword} saddr }}", $"goto way{way.Slot}");
        }

        var kept = ways.Select(w => $"{keyword} saddr @kept{w.Slot}_{suffix} goto {(Sticky is null ? $"way{w.Slot}" : $"pin{w.Slot}_{suffix}")}");
        Chain(text, $"kept{suffix}", [.. kept, Numbers(ways, "inc", w => $"pin{w.Slot}_{suffix}")]);
        if (Sticky is not null)
        {
            Chain(text, $"pick{suffix}", $"goto kept{suffix}");
            return;
        }

        text.Append(CultureInfo.InvariantCulture, $"\tset calm{suffix} {{ type {type}; size {MaxClients}; flags dynamic,timeout; timeout 1m; }}\n");
        Chain(
            text,
            $"pick{suffix}",
            string.Create(CultureInfo.InvariantCulture, $"add @calm{suffix} {{ {keyword} saddr limit rate {CalmConnections}/minute burst {CalmConnections} packets }} goto kept{suffix}"),
            Numbers(ways, "random", w => $"way{w.Slot}"));
    }

    /// <summary>A number for each part of the weights' sum.</summary>
    private static string Numbers(ImmutableArray<DirectOut> ways, string kind, Func<DirectOut, string> target)
    {
        int begin = 0;
        var parts = new List<string>();
        foreach (var way in ways)
        {
            int end = begin + way.Weight - 1;
            parts.Add(string.Create(CultureInfo.InvariantCulture, $"{(begin == end ? $"{begin}" : $"{begin}-{end}")} : goto {target(way)}"));
            begin = end + 1;
        }

        return string.Create(CultureInfo.InvariantCulture, $"numgen {kind} mod {begin} vmap {{ {string.Join(", ", parts)} }}");
    }

    private void AddNear(List<string> rules, string keyword, AddressFamily family, string linkLocal)
    {
        // Collapsed, because an interval set refuses members that overlap.
        var networks = Near.Where(n => n.BaseAddress.AddressFamily == family).Append(IPNetwork.Parse(linkLocal)).Distinct().ToArray();
        var outer = networks.Where(n => !networks.Any(o => o.PrefixLength < n.PrefixLength && o.Contains(n.BaseAddress)));
        rules.Add($"{keyword} daddr {{ {string.Join(", ", outer.Select(n => n.ToString()).Order(StringComparer.Ordinal))} }} return");
    }

    private static void Chain(StringBuilder text, string name, params ReadOnlySpan<string> rules)
    {
        text.Append(CultureInfo.InvariantCulture, $"\tchain {name} {{\n");
        foreach (string rule in rules)
        {
            text.Append("\t\t").Append(rule).Append('\n');
        }

        text.Append("\t}\n");
    }

    private static string Quoted(string name) => InterfaceName.IsValid(name) && !name.Contains('"', StringComparison.Ordinal)
        ? $"\"{name}\""
        : throw new ArgumentException($"not an interface's name: '{name}'", nameof(name));
}

/// <summary>A WAN as the direct table knows it.</summary>
internal readonly record struct DirectOut(int Slot, string Interface, int Weight);
