using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Links;
using Aggregator.Gateway.Policy;

namespace Aggregator.Gateway.Tests.Policy;

/// <summary>A home with two WANs and a LAN, as the kernel would show it.</summary>
internal static class Home
{
    internal static readonly GatewayConfig Config = new()
    {
        // The kernel's path manager has something to do then; what the trunk wants has tests of its own.
        Carrier = GatewayConfig.MptcpCarrier,
        Lan = ["lan0"],
        Wans = [new("wan1", "fibre", LinkRole.Active, null), new("wan2", "lte", LinkRole.Backup, null)],
        Ingress = new IngressConfig { Transparent = true },
    };

    internal static readonly NetworkView View = new(
        [new(1, "lo", true, Loopback: true), new(2, "lan0", true), new(3, "wan1", true), new(4, "wan2", true)],
        [
            new(1, IPAddress.Loopback, 8),
            new(2, IPAddress.Parse("192.168.77.1"), 24),
            new(3, IPAddress.Parse("10.1.0.2"), 24),
            new(3, IPAddress.Parse("2001:db8:1::2"), 64),
            new(4, IPAddress.Parse("10.2.0.2"), 24),
        ],
        [
            new(254, IPNetwork.Parse("0.0.0.0/0"), 3, IPAddress.Parse("10.1.0.1"), 0, 3),
            new(254, IPNetwork.Parse("0.0.0.0/0"), 4, IPAddress.Parse("10.2.0.1"), 100, 3),
            new(254, IPNetwork.Parse("192.168.77.0/24"), 2, null, 0, 2),
            new(254, IPNetwork.Parse("172.20.0.0/16"), 2, IPAddress.Parse("192.168.77.9"), 0, 4),
            new(254, IPNetwork.Parse("10.1.0.0/24"), 3, null, 0, 2),
            new(254, IPNetwork.Parse("10.2.0.0/24"), 4, null, 0, 2),
            new(254, IPNetwork.Parse("::/0"), 3, IPAddress.Parse("fe80::1"), 1024, 9),
        ]);

    internal static readonly HostFacts Facts = new(8L << 30, Mptcp: true, StrictReversePath: false);

    internal static LinkSnapshot Links(GatewayConfig? config = null, NetworkView? view = null, LinkMemory? memory = null) =>
        LinkResolver.Resolve(config ?? Config, view ?? View, memory ?? LinkMemory.Empty).Snapshot;

    /// <summary>With every link up, except those named.</summary>
    internal static LinkSnapshot Up(LinkSnapshot links, params string[] down) => links with
    {
        Links = [.. links.Links.Select(l => l with { State = down.Contains(l.Name) || l.Reason is not null ? LinkState.Down : LinkState.Up })],
    };

    internal static PolicyInput Input(LinkSnapshot links, GatewayConfig? config = null, params AddressFamily[] families) => new()
    {
        Config = config ?? Config,
        Links = links,
        NodeFamilies = [.. families],
        Host = Facts,
        TransparentV4 = new IPEndPoint(IPAddress.Loopback, 12345),
        TransparentV6 = new IPEndPoint(IPAddress.IPv6Loopback, 12346),
    };

    internal static string[] Lines(DesiredState state, string kind) =>
        [.. state.ToString().Split('\n').Where(l => l.StartsWith(kind + " ", StringComparison.Ordinal)).Select(l => l[(kind.Length + 1)..])];
}
