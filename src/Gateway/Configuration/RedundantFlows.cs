using System.Collections.Immutable;
using System.Net;
using Aggregator.Flows;

namespace Aggregator.Gateway.Configuration;

/// <summary>`redundant`: the flows whose every byte goes over the two quickest lines, both ways.</summary>
internal sealed record RedundantFlows(ImmutableArray<RedundantRule> Rules)
{
    internal static RedundantFlows None { get; } = new([]);

    /// <param name="ingress">`socks`, `http` or `transparent`.</param>
    /// <param name="client">Null: not known.</param>
    internal bool Has(string ingress, IPAddress? client, FlowTarget target)
    {
        foreach (var rule in Rules)
        {
            if (rule.Matches(ingress, client, target))
            {
                return true;
            }
        }

        return false;
    }
}

/// <summary>One entry: all that it names must be so; of a list, any.</summary>
internal sealed record RedundantRule
{
    /// <summary>Of the target.</summary>
    internal ImmutableArray<PortRange> Ports { get; init; } = [];

    /// <summary>Networks of the target, where the client gave an address.</summary>
    internal ImmutableArray<IPNetwork> To { get; init; } = [];

    /// <summary>Names of the target, where the client gave a name (SOCKS, HTTP); `.example.net` is everything below example.net too.</summary>
    internal ImmutableArray<string> Hosts { get; init; } = [];

    internal ImmutableArray<IPNetwork> Clients { get; init; } = [];

    /// <summary>`socks`, `http`, `transparent`.</summary>
    internal ImmutableArray<string> Ingress { get; init; } = [];

    internal bool IsEmpty => Ports.IsEmpty && To.IsEmpty && Hosts.IsEmpty && Clients.IsEmpty && Ingress.IsEmpty;

    internal bool Matches(string ingress, IPAddress? client, FlowTarget target) =>
        (Ports.IsEmpty || Has(Ports, target.Port))
        && ((To.IsEmpty && Hosts.IsEmpty) || Has(To, target.Address) || (target.Name is { } name && Has(Hosts, name)))
        && (Clients.IsEmpty || Has(Clients, client))
        && (Ingress.IsEmpty || Ingress.Contains(ingress));

    private static bool Has(ImmutableArray<PortRange> ports, ushort port)
    {
        foreach (var range in ports)
        {
            if (port >= range.First && port <= range.Last)
            {
                return true;
            }
        }

        return false;
    }

    private static bool Has(ImmutableArray<IPNetwork> networks, IPAddress? address)
    {
        if (address is null)
        {
            return false;
        }

        // A listener for both families tells IPv4 clients in IPv6's form.
        address = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        foreach (var network in networks)
        {
            if (network.Contains(address))
            {
                return true;
            }
        }

        return false;
    }

    private static bool Has(ImmutableArray<string> hosts, string name)
    {
        var bare = name.AsSpan().TrimEnd('.');
        foreach (string host in hosts)
        {
            if (bare.Equals(host.AsSpan().TrimStart('.'), StringComparison.OrdinalIgnoreCase)
                || (host[0] == '.' && bare.EndsWith(host, StringComparison.OrdinalIgnoreCase)))
            {
                return true;
            }
        }

        return false;
    }
}

internal readonly record struct PortRange(ushort First, ushort Last);
