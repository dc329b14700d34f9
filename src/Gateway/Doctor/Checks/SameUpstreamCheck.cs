using System.Net;
using System.Net.NetworkInformation;
using Aggregator.Gateway.Links;

namespace Aggregator.Gateway.Doctor.Checks;

/// <summary>What shows who is behind a WAN.</summary>
/// <param name="GatewayMac">None: not known.</param>
/// <param name="Public">Under which the VPS sees it, where that is not its own address; null: not known or its own.</param>
internal sealed record Upstream(Link Link, PhysicalAddress GatewayMac, IPAddress? Public);

/// <summary>WANs that are two cables into one line: they add nothing, and fail together.</summary>
internal sealed class SameUpstreamCheck : ICheck
{
    public string Id => "same-upstream";

    public string Title => "Each WAN has an upstream of its own";

    public async Task<Finding> RunAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        var answers = await context.Paths.AllAsync(context, cancellationToken);
        return Decide([
            .. context.Links.Links.Where(l => l.Present).Select(link => new Upstream(
                link,
                GatewayMac(context.Host, link),
                answers.FirstOrDefault(a => a.Link.Name == link.Name).Answer?.View is { } view && !view.Seen.Address.Equals(view.Local.Address)
                    ? view.Seen.Address
                    : null)),
        ]);
    }

    internal static Finding Decide(IReadOnlyList<Upstream> upstreams)
    {
        var findings = new List<Finding>();
        for (int i = 0; i < upstreams.Count; i++)
        {
            for (int k = i + 1; k < upstreams.Count; k++)
            {
                if (Shared(upstreams[i], upstreams[k]) is { } why)
                {
                    findings.Add(Finding.Warn(
                        $"{upstreams[i].Link.Name} and {upstreams[k].Link.Name} are behind the same upstream: {why}",
                        "connect each to a line of its own; two cables into one router add neither speed nor safety"));
                }
            }
        }

        return findings.Count > 0
            ? Finding.Join(findings, "")
            : upstreams.Count < 2 ? Finding.Skip("there are no two WANs") : Finding.Ok("no two share a gateway, a subnet or a public address");
    }

    private static string? Shared(Upstream a, Upstream b)
    {
        if (DuplicateMacCheck.IsReal(a.GatewayMac) && a.GatewayMac.Equals(b.GatewayMac))
        {
            return $"their gateways have one MAC address, {DuplicateMacCheck.Text(a.GatewayMac)}";
        }

        var networks = a.Link.Addresses
            .Where(x => !x.Address.IsIPv6LinkLocal && x.PrefixLength < Networks.Bits(x.Address.AddressFamily))
            .Select(x => x.Network);
        foreach (var network in networks)
        {
            if (b.Link.Addresses.Any(y => y.PrefixLength < Networks.Bits(y.Address.AddressFamily) && PrivateRangesCheck.Overlap(network, y.Network)))
            {
                return $"both are in {network}";
            }
        }

        return a.Public is not null && a.Public.Equals(b.Public) ? $"the VPS sees both as {a.Public}" : null;
    }

    private static PhysicalAddress GatewayMac(HostView host, Link link) =>
        (link.V4 ?? link.V6)?.Gateway is { } gateway
            ? host.Neighbours.FirstOrDefault(n => n.InterfaceIndex == link.Index && n.Address.Equals(gateway))?.Mac ?? PhysicalAddress.None
            : PhysicalAddress.None;
}
