using Aggregator.Gateway.Links;
using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Aggregator.Gateway.Policy;

/// <summary>
/// The nftables table that hands the LAN's TCP connections to the transparent listeners. Rendered from typed values only: an interface's
/// name is quoted and checked, the rest are numbers and addresses.
/// </summary>
/// <param name="Interfaces">The LAN's.</param>
/// <param name="V4">Where the IPv4 listener is; null: none.</param>
/// <param name="V6">Where the IPv6 listener is; null: none.</param>
/// <param name="Direct">Networks that are reached without the VPS.</param>
internal sealed record TproxyTable(ImmutableArray<string> Interfaces, IPEndPoint? V4, IPEndPoint? V6, ImmutableArray<IPNetwork> Direct)
{
    /// <summary>Where what no listener takes goes; null: as the host routes it.</summary>
    internal TunnelUse? Tunnel { get; init; }

    /// <summary>TCP goes into the tunnel too.</summary>
    internal bool WholeIp { get; init; }

    /// <summary>The chain by whose name the table is known as ours, also when the state directory is lost.</summary>
    internal const string MarkerChain = "aggregator_gateway_prerouting";

    /// <summary>Input for `nft -f -`: replaces the table in one transaction, whether it exists or not.</summary>
    internal string Script()
    {
        var text = new StringBuilder();
        // `table` before `delete`: deleting a table that is not there would fail the transaction.
        text.Append(CultureInfo.InvariantCulture, $"table inet {HostNumbers.NftTable}\n");
        text.Append(CultureInfo.InvariantCulture, $"delete table inet {HostNumbers.NftTable}\n");
        text.Append(ToString());
        return text.ToString();
    }

    public override string ToString()
    {
        string mark = string.Create(CultureInfo.InvariantCulture, $"meta mark set meta mark and 0x{~HostNumbers.TproxyMask:x8} or 0x{HostNumbers.TproxyMark:x8}");
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"table inet {HostNumbers.NftTable} {{\n");
        text.Append(CultureInfo.InvariantCulture, $"\tchain {MarkerChain} {{\n");
        text.Append("\t\ttype filter hook prerouting priority mangle; policy accept;\n");
        text.Append(CultureInfo.InvariantCulture, $"\t\tiifname != {{ {string.Join(", ", Interfaces.Select(Quoted))} }} return\n");
        if (Tunnel is null)
        {
            text.Append("\t\tmeta l4proto != tcp return\n");
        }

        text.Append("\t\tfib daddr type { local, broadcast, anycast, multicast } return\n");
        // A packet of a connection that a listener has already: no new lookup of the listener.
        text.Append(CultureInfo.InvariantCulture, $"\t\tsocket transparent 1 socket wildcard 0 {mark} accept\n");
        Exclude(text, "ip", AddressFamily.InterNetwork, "169.254.0.0/16");
        Exclude(text, "ip6", AddressFamily.InterNetworkV6, "fe80::/10");
        Intercept(text, "ipv4", "ip", V4, mark);
        Intercept(text, "ipv6", "ip6", V6, mark);
        Lead(text, "ipv4", Tunnel?.V4 ?? false);
        Lead(text, "ipv6", Tunnel?.V6 ?? false);
        text.Append("\t}\n");
        if (Tunnel is not null)
        {
            // What the other end's way out is narrower by, its own clamp and ICMP see to.
            text.Append(CultureInfo.InvariantCulture, $"\tchain {MarkerChain}_mss {{\n\t\ttype filter hook forward priority mangle; policy accept;\n");
            text.Append(CultureInfo.InvariantCulture, $"\t\tiifname {Quoted(Tunnel.Device)} tcp flags syn tcp option maxseg size set rt mtu\n");
            text.Append(CultureInfo.InvariantCulture, $"\t\toifname {Quoted(Tunnel.Device)} tcp flags syn tcp option maxseg size set rt mtu\n\t}}\n");
        }

        text.Append("}\n");
        return text.ToString();
    }

    public bool Equals(TproxyTable? other) => other is not null && ToString() == other.ToString();

    public override int GetHashCode() => HashCode.Combine(V4, V6, Direct.Length);

    private void Exclude(StringBuilder text, string keyword, AddressFamily family, string linkLocal)
    {
        // Collapsed, because an interval set refuses members that overlap.
        var networks = Direct.Where(n => n.BaseAddress.AddressFamily == family).Append(IPNetwork.Parse(linkLocal)).Distinct().ToArray();
        var outer = networks.Where(n => !networks.Any(o => o.PrefixLength < n.PrefixLength && o.Contains(n.BaseAddress)));
        text.Append(CultureInfo.InvariantCulture, $"\t\t{keyword} daddr {{ {string.Join(", ", outer.Select(n => n.ToString()).Order(StringComparer.Ordinal))} }} return\n");
    }

    private static void Intercept(StringBuilder text, string protocol, string keyword, IPEndPoint? listener, string mark)
    {
        if (listener is null)
        {
            return;
        }

        bool any = listener.Address.Equals(IPAddress.Any) || listener.Address.Equals(IPAddress.IPv6Any);
        string to = any ? string.Create(CultureInfo.InvariantCulture, $":{listener.Port}") : listener.ToString();
        text.Append(CultureInfo.InvariantCulture, $"\t\tmeta nfproto {protocol} meta l4proto tcp tproxy {keyword} to {to} {mark} accept\n");
    }

    private void Lead(StringBuilder text, string protocol, bool leads)
    {
        if (leads)
        {
            // A connection that a listener has taken never gets here; TCP does in whole-IP mode only.
            string which = WholeIp ? "" : " meta l4proto != tcp";
            text.Append(CultureInfo.InvariantCulture,
                $"\t\tmeta nfproto {protocol}{which} meta mark set meta mark and 0x{~HostNumbers.TproxyMask:x8} or 0x{HostNumbers.TunnelMark:x8} accept\n");
        }
    }

    private static string Quoted(string name) => InterfaceName.IsValid(name) && !name.Contains('"', StringComparison.Ordinal)
        ? $"\"{name}\""
        : throw new ArgumentException($"not an interface's name: '{name}'", nameof(name));
}
