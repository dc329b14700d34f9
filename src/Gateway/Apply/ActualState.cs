using System.Collections.Immutable;
using Aggregator.Gateway.Policy;

namespace Aggregator.Gateway.Apply;

/// <summary>What the host has at the moment of what the gateway could have made.</summary>
internal sealed record ActualState
{
    /// <summary>In the gateway's tables.</summary>
    internal ImmutableArray<Found<HostRoute>> Routes { get; init; } = [];

    internal ImmutableArray<Found<HostRule>> Rules { get; init; } = [];

    internal ImmutableArray<FoundEndpoint> Endpoints { get; init; } = [];

    /// <summary>Null: this kernel has no MPTCP.</summary>
    internal HostMptcpLimits? MptcpLimits { get; init; }
}

/// <param name="Ours">Made by this program: it carries our protocol number, or the journal says so. What is not ours is never changed.</param>
internal sealed record Found<T>(T Item, bool Ours);

/// <param name="Id">The kernel's number of the endpoint.</param>
internal sealed record FoundEndpoint(HostEndpoint Item, byte Id, bool Ours);
