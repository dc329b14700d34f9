using System.Collections.Immutable;
using System.Net;
using System.Net.NetworkInformation;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Doctor;
using Aggregator.Gateway.Links;
using Aggregator.Netlink;
using Aggregator.Protocol.V1;

namespace Aggregator.Gateway.Tests.Doctor;

/// <summary>Links and the like for tests that are not about these.</summary>
internal static class Some
{
    internal static Link Link(string name, string? address = null, int prefixLength = 24, LinkRole role = LinkRole.Active, LinkState state = LinkState.Up) => new()
    {
        Name = name,
        Interface = "if-" + name,
        Role = role,
        Slot = 0,
        Index = name.GetHashCode(StringComparison.Ordinal) & 0xFFFF | 1,
        Carrier = true,
        Addresses = address is null ? [] : [new LinkAddress(IPAddress.Parse(address), prefixLength)],
        V4 = new NextHop(null),
        State = state,
    };

    internal static LinkInfo Interface(string name, string mac, int index = 0, string? kind = null) => new()
    {
        Index = index == 0 ? name.GetHashCode(StringComparison.Ordinal) & 0xFFFF | 1 : index,
        Name = name,
        Mac = PhysicalAddress.Parse(mac),
        Kind = kind,
    };

    internal static PathView View(string local, string seen, double roundTripMs = 20, double aheadMs = 0) => new(
        IPEndPoint.Parse(local), IPEndPoint.Parse(seen), TimeSpan.FromMilliseconds(roundTripMs), TimeSpan.FromMilliseconds(aheadMs), "1.0");

    internal static TrafficWindow Traffic(params (string Link, ulong Rx, ulong Tx)[] links) => new(
        TimeSpan.FromMinutes(1), [.. links.Select(l => new LinkTraffic(l.Link, l.Rx, l.Tx))]);

    internal static DaemonState Daemon(string nodeState, TimeSpan? since = null)
    {
        var status = new GatewayStatus { Node = new NodeStatus { State = nodeState } };
        return new DaemonState(status, () => status, since, new TrafficWindow(TimeSpan.Zero, ImmutableArray<LinkTraffic>.Empty));
    }

    internal static DoctorContext Context(GatewayConfig? config = null, HostFiles? files = null, params Link[] links) => new()
    {
        Config = config ?? new GatewayConfig(),
        Host = new HostView(),
        Links = new LinkSnapshot { Links = [.. links] },
        Files = files ?? new HostFiles("/nonexistent"),
        Paths = new PathViews(null, null, TimeProvider.System),
        Time = TimeProvider.System,
    };
}
