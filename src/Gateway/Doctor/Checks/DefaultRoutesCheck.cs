using Aggregator.Gateway.Links;
using Aggregator.Netlink;

namespace Aggregator.Gateway.Doctor.Checks;

/// <summary>Ways past the VPS: default routes that leave by no WAN, and LAN traffic that nobody takes.</summary>
internal sealed class DefaultRoutesCheck : ICheck
{
    public string Id => "default-routes";

    public string Title => "Nothing leaves past the VPS by accident";

    public Task<Finding> RunAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        string[] strays = [.. Strays(context)];
        bool lan = !context.Config.Lan.IsEmpty;
        bool forwards = context.Files.Number("/proc/sys/net/ipv4/ip_forward") == 1;
        bool packets = context.Daemon?.Status.Packets is { State: "on" };
        return Task.FromResult(Decide(strays, lan, forwards, context.Config.Ingress.Transparent, context.Daemon is not null, packets));
    }

    /// <param name="strays">Interfaces with a default route that are no WANs.</param>
    /// <param name="lan">Whether there is a LAN.</param>
    /// <param name="forwards">Whether the host routes what nobody takes.</param>
    /// <param name="transparent">As configured.</param>
    /// <param name="running">The daemon.</param>
    /// <param name="packets">Whether UDP and the rest are carried at this moment.</param>
    internal static Finding Decide(IReadOnlyList<string> strays, bool lan, bool forwards, bool transparent, bool running, bool packets)
    {
        var findings = new List<Finding>();
        if (strays.Count > 0)
        {
            findings.Add(Finding.Warn(
                $"{Texts.List(strays)} has a default route and is no WAN: this host's own traffic may leave there",
                "remove that route, or name the interface in `wans`"));
        }

        if (lan && forwards)
        {
            findings.Add((running, transparent) switch
            {
                (false, _) => Finding.Warn("the daemon is not running, so everything of the LAN leaves over the WANs directly", "start the daemon, or stop forwarding (`sysctl net.ipv4.ip_forward=0`)"),
                (true, false) => Finding.Warn(
                    "`ingress.transparent` is off, so clients that do not use the proxy leave over the WANs directly",
                    "set `ingress.transparent: true`, or stop forwarding (`sysctl net.ipv4.ip_forward=0`)"),
                _ when packets => Finding.Ok("what comes from the LAN goes through the VPS: TCP as flows, UDP, ICMP and the rest as packets"),
                _ => Finding.Warn(
                    "TCP of the LAN goes through the VPS, but its packets (UDP, ICMP and the rest) are not carried now and leave over the WANs directly",
                    "see the check `packets`, or stop forwarding (`sysctl net.ipv4.ip_forward=0`)"),
            });
        }

        return findings.Count > 0 ? Finding.Join(findings, "") : Finding.Ok("no default route leaves by anything but a WAN");
    }

    private static IEnumerable<string> Strays(DoctorContext context) => context.Host.Routes
        .Where(r => r.Destination.PrefixLength == 0 && r.Table == HostNumbers.MainTable && r.Type == RouteType.Unicast && r.Protocol != HostNumbers.Protocol)
        .SelectMany(r => r.NextHops.IsDefaultOrEmpty ? [r.InterfaceIndex] : r.NextHops.Select(h => h.InterfaceIndex))
        .Distinct()
        .Select(index => context.Host.Interface(index))
        .OfType<LinkInfo>()
        .Where(i => !i.IsLoopback && context.Links.Links.All(l => l.Interface != i.Name))
        .Select(i => i.Name);
}
