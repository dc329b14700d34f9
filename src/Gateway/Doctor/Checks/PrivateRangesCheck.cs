using System.Net;
using System.Net.Sockets;
using Aggregator.Gateway.Links;

namespace Aggregator.Gateway.Doctor.Checks;

/// <summary>Ranges that are used on both sides: a WAN's, or the VPS's address, inside the LAN's.</summary>
internal sealed class PrivateRangesCheck : ICheck
{
    public string Id => "private-ranges";

    public string Title => "LAN, WANs and VPS have different ranges";

    public Task<Finding> RunAsync(DoctorContext context, CancellationToken cancellationToken) =>
        Task.FromResult(Decide(context.Links, context.VpsAddresses, [.. context.Host.Routes.Select(r => r.Destination)]));

    /// <param name="links">With the networks behind the other interfaces.</param>
    /// <param name="vps">The VPS's addresses.</param>
    /// <param name="routes">Destinations of all routes, for a range that is free.</param>
    internal static Finding Decide(LinkSnapshot links, IReadOnlyList<IPEndPoint> vps, IReadOnlyList<IPNetwork> routes)
    {
        var conflicts = new List<string>();
        foreach (var local in links.LocalNetworks.Where(n => n.PrefixLength > 0))
        {
            conflicts.AddRange(links.Links
                .Where(l => l.Addresses.Any(a => a.PrefixLength < Networks.Bits(a.Address.AddressFamily) && Overlap(a.Network, local)))
                .Select(l => $"{l.Name} is in {l.Addresses.First(a => Overlap(a.Network, local)).Network}, which overlaps {local} of the LAN"));
            conflicts.AddRange(vps
                .Where(v => v.AddressFamily == local.BaseAddress.AddressFamily && local.Contains(v.Address))
                .Select(v => $"the VPS's address {v.Address} is in {local} of the LAN"));
        }

        if (conflicts.Count == 0)
        {
            return Finding.Ok("no range is used twice");
        }

        string free = Free([.. routes, .. links.ConnectedNetworks, .. links.LocalNetworks]) is { } range
            ? $"give the LAN another range; {range} is free here"
            : "give the LAN another range (none of 172.16.0.0/12 is free here)";
        return Finding.Fail(Texts.List(conflicts.Distinct()) + ": packets to the one end up in the other", free + ", or change the modem's");
    }

    /// <summary>A /24 of 172.16.0.0/12 (RFC 1918) that overlaps none of these. Docker begins at 172.17, many routers at 172.16.0.</summary>
    internal static IPNetwork? Free(IReadOnlyList<IPNetwork> taken)
    {
        for (int second = 16; second < 32; second++)
        {
            for (int third = 77; third < 77 + 256; third++)
            {
                var candidate = new IPNetwork(new IPAddress([172, (byte)second, (byte)(third % 256), 0]), 24);
                if (!taken.Any(t => t.PrefixLength > 0 && Overlap(t, candidate)))
                {
                    return candidate;
                }
            }
        }

        return null;
    }

    internal static bool Overlap(IPNetwork a, IPNetwork b) =>
        a.BaseAddress.AddressFamily == b.BaseAddress.AddressFamily
        && a.BaseAddress.AddressFamily is AddressFamily.InterNetwork or AddressFamily.InterNetworkV6
        && (a.Contains(b.BaseAddress) || b.Contains(a.BaseAddress));
}
