using System.Net;
using System.Net.Sockets;
using Aggregator.DnsWire;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Links;
using Aggregator.Protocol.V1;

namespace Aggregator.Gateway.Doctor.Checks;

/// <summary>Which name servers this host asks, by which way, and whether the VPS's name is known.</summary>
internal sealed class DnsCheck : ICheck
{
    public string Id => "dns";

    public string Title => "Name servers";

    public Task<Finding> RunAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        if (context is { Config.Dns: not null, Daemon: { } daemon, VpsAddresses.IsEmpty: false })
        {
            return Task.FromResult(Answering(daemon.Status.Dns));
        }

        var servers = ResolvConf.Servers(context.Files.Read(ResolvConf.Path) ?? "");
        bool byName = context.Node is { } node && !node.Hosts.Any(h => IPAddress.TryParse(h, out _));
        return Task.FromResult(Decide(
            [.. servers.Select(s => (s, WayTo(s, context.Host, context.Links)))], byName, context.VpsAddresses.Length > 0, context.NodeProblem));
    }

    /// <param name="servers">Of /etc/resolv.conf, with the WAN by which each is reached; null: not over a WAN.</param>
    /// <param name="byName">The VPS is known by its name only.</param>
    /// <param name="resolved">Its addresses are known.</param>
    /// <param name="problem">Why they are not.</param>
    internal static Finding Decide(IReadOnlyList<(IPAddress Server, Link? Way)> servers, bool byName, bool resolved, string? problem)
    {
        if (byName && !resolved)
        {
            return Finding.Fail(
                $"the VPS's name is not known{(problem is null ? "" : $" ({problem})")}; name servers: {Text(servers)}",
                "put a name server that answers into /etc/resolv.conf, or pair by address (`aggregator-vps init --public ADDRESS`)");
        }

        if (servers.Count == 0)
        {
            return byName
                ? Finding.Warn("/etc/resolv.conf names no name server, and the VPS is known by its name", "put one in")
                : Finding.Ok("/etc/resolv.conf names no name server; the gateway needs none, names of carried flows are resolved at the VPS");
        }

        var dead = servers.Where(s => s.Way is { State: LinkState.Down } or { Role: LinkRole.Off }).ToArray();
        if (dead.Length == servers.Count)
        {
            return Finding.Warn(
                $"every name server is behind a WAN that does not work: {Text(servers)}",
                "put one into /etc/resolv.conf that is reached over any WAN, such as a public one");
        }

        return Finding.Ok($"{Text(servers)}; names that clients give to SOCKS5 and HTTP CONNECT are resolved at the VPS");
    }

    /// <summary>The LAN's name server, by what became of its questions.</summary>
    internal static Finding Answering(DnsStatus? dns)
    {
        if (dns is null)
        {
            return Finding.Warn("`dns` is in the configuration, but the daemon runs without it", "restart aggregator-gateway");
        }

        ulong answered = dns.AnsweredVps + dns.AnsweredDirect + dns.AnsweredSplit;
        string at = string.Join(", ", dns.Listen);
        return dns.HasProblem
            ? Finding.Warn(
                $"the LAN's name server ({at}) could not answer the last question: {dns.Problem} ({answered} answered, {dns.Failed} failed)",
                "see /etc/resolv.conf on the VPS, or name servers there under `dns: {upstream: …}`")
            : answered == 0
                ? Finding.Ok($"the LAN's name server listens on {at}; nobody has asked it yet: give this address to the clients (DHCP)")
                : Finding.Ok($"the LAN's name server ({at}) answered {dns.AnsweredVps} questions as seen from the VPS, {dns.AnsweredSplit} of split domains, {dns.AnsweredDirect} directly; {dns.Failed} failed");
    }

    /// <summary>By the main table's longest prefix, then the lowest metric. Null: this host, the LAN, or no way at all.</summary>
    internal static Link? WayTo(IPAddress server, HostView host, LinkSnapshot links)
    {
        var family = server.AddressFamily == AddressFamily.InterNetworkV6 ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork;
        var route = host.Routes
            .Where(r => r.Table == HostNumbers.MainTable && r.Family == family && r.Type == Netlink.RouteType.Unicast && r.Destination.Contains(server))
            .OrderByDescending(r => r.Destination.PrefixLength)
            .ThenBy(r => r.Priority)
            .FirstOrDefault();
        int index = route is null ? 0 : route.NextHops.IsDefaultOrEmpty ? route.InterfaceIndex : route.NextHops[0].InterfaceIndex;
        return IPAddress.IsLoopback(server) || index == 0 ? null : links.Links.FirstOrDefault(l => l.Index == index);
    }

    private static string Text(IReadOnlyList<(IPAddress Server, Link? Way)> servers) => servers.Count == 0
        ? "none"
        : Texts.List(servers.Select(s => s.Way is null ? $"{s.Server} (not over a WAN)" : $"{s.Server} (directly over {s.Way.Name}, not through the VPS)"));
}
