using System.Collections.Immutable;
using System.Net;

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

    /// <summary>Everything but RTT and loss, a line each: two snapshots with the same text need no new decision.</summary>
    public override string ToString() => string.Join(
        '\n',
        Links.Select(l => l.ToString())
            .Append($"local {string.Join(' ', LocalNetworks)}")
            .Append($"connected {string.Join(' ', ConnectedNetworks)}")
            .Append($"missing {string.Join(' ', MissingInterfaces)}"));
}
