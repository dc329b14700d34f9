using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Aggregator.Gateway.Configuration;

namespace Aggregator.Gateway.Links;

/// <summary>All WANs at one moment, and what else of the host's network matters to policy. Published whole; readers take no lock.</summary>
internal sealed record LinkSnapshot
{
    internal static readonly LinkSnapshot Empty = new();

    /// <summary>In the configuration's order; found ones by slot.</summary>
    internal ImmutableArray<Link> Links { get; init; } = [];

    /// <summary>Networks reached through interfaces that are not WANs (the main table's routes other than a default), sorted.</summary>
    internal ImmutableArray<IPNetwork> LocalNetworks { get; init; } = [];

    /// <summary>Networks directly connected to any interface of the host, sorted.</summary>
    internal ImmutableArray<IPNetwork> ConnectedNetworks { get; init; } = [];

    /// <summary>Interfaces that the configuration names and the host does not have.</summary>
    internal ImmutableArray<string> MissingInterfaces { get; init; } = [];

    internal Link? Find(string nameOrInterface) =>
        Links.FirstOrDefault(l => l.Name == nameOrInterface) ?? Links.FirstOrDefault(l => l.Interface == nameOrInterface);

    /// <summary>
    /// Whether a WAN leads out by itself, without the VPS: its line lives. Where nothing is known to live on any, all are tried: a gateway that
    /// answers no ping is no dead line.
    /// </summary>
    internal bool LeadsOut(Link link) => HasWay(link) && (Lives(link) || !Links.Any(l => HasWay(l) && Lives(l)));

    private static bool HasWay(Link link) =>
        link.Role != LinkRole.Off && link.Present && link.Carrier && !link.Addresses.IsEmpty && (link.V4 is not null || link.V6 is not null)
        // A portal lets nobody out, except, at some, a VPN.
        && !link.BehindPortal;

    private bool Lives(Link link) => link.State != LinkState.Down || (link.LineAlive ?? !Links.Any(l => l.Usable));

    /// <summary>The WANs that lead out in a family: the active ones, or the backups where no active one does.</summary>
    internal ImmutableArray<Link> WaysOut(AddressFamily family)
    {
        ImmutableArray<Link> all = [.. Links.Where(l => LeadsOut(l) && l.NextHop(family) is not null && l.Address(family) is not null)];
        ImmutableArray<Link> active = [.. all.Where(l => l.Role == LinkRole.Active)];
        return active.IsEmpty ? all : active;
    }

    /// <summary>Everything but RTT and loss, a line each: two snapshots with the same text need no new decision.</summary>
    public override string ToString() => string.Join(
        '\n',
        Links.Select(l => l.ToString())
            .Append($"local {string.Join(' ', LocalNetworks)}")
            .Append($"connected {string.Join(' ', ConnectedNetworks)}")
            .Append($"missing {string.Join(' ', MissingInterfaces)}"));
}
