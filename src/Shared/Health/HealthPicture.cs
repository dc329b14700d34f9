using System.Collections.Immutable;

namespace Aggregator.Health;

internal enum HealthLevel
{
    Ok,
    Warn,
    Critical,
}

/// <summary>One thing that deserves attention.</summary>
/// <param name="Code">For programs; never changes its meaning.</param>
/// <param name="Text">What was measured, in one sentence.</param>
/// <param name="Remedy">What to do about it, in one sentence.</param>
internal sealed record Finding(string Code, HealthLevel Level, string Text, string Remedy);

/// <summary>How far a peer's clock is from ours.</summary>
/// <param name="Peer">The other side, for the text: `gateway home`.</param>
/// <param name="Ahead">By so much is this host's clock ahead of the peer's; negative: behind.</param>
/// <param name="Uncertainty">Half of the quickest round trip: the true value is within it.</param>
internal readonly record struct ClockSkew(string Peer, TimeSpan Ahead, TimeSpan Uncertainty);

/// <summary>All that findings are made of.</summary>
internal sealed record HealthPicture(HealthSample Sample, HealthRates Rates)
{
    internal ImmutableArray<GatewayLoad> Gateways { get; init; } = [];

    internal ImmutableArray<ClockSkew> Clocks { get; init; } = [];

    /// <summary>What was found at the look before, by code: what swings around its mark stays found until it is well below.</summary>
    internal IReadOnlyDictionary<string, HealthLevel> Before { get; init; } = ImmutableDictionary<string, HealthLevel>.Empty;

    internal MemoryNeed? Need => MemoryNeed.Of(Gateways, Sample);
}
