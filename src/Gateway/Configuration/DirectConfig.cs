using System.Collections.Immutable;
using System.Net;

namespace Aggregator.Gateway.Configuration;

/// <summary>What becomes of traffic that is not carried.</summary>
internal sealed record DirectConfig
{
    /// <summary>`fallback: direct`: out over the WANs while no VPS is reached. Otherwise such flows fail.</summary>
    internal bool IsFallback { get; init; }

    /// <summary>`direct: {always: true}`: nothing is carried.</summary>
    internal bool Always { get; init; }

    /// <summary>Destinations that are never carried.</summary>
    internal ImmutableArray<IPNetwork> To { get; init; } = [];

    /// <summary>
    /// How long a client keeps its WAN, whatever that does to the balance. Null: for <see cref="LooseSticky"/>, and only as long as the shares
    /// stay near the weights.
    /// </summary>
    internal TimeSpan? Sticky { get; init; }

    /// <summary>A page and what it loads a little later.</summary>
    internal static readonly TimeSpan LooseSticky = TimeSpan.FromMinutes(1);

    /// <summary>There is something that goes out directly, at least at times.</summary>
    internal bool IsPossible => IsFallback || Always || !To.IsEmpty;
}
