namespace Aggregator.Trunk;

/// <summary>The limits of a session. The defaults are the product's.</summary>
internal sealed record TrunkOptions
{
    /// <summary>Lanes at a time: two for each of eight WANs.</summary>
    internal int MaxLanes { get; init; } = 16;

    /// <summary>Streams at a time; the gateway refuses more itself, the VPS answers "busy".</summary>
    internal int MaxStreams { get; init; } = 16_384;

    /// <summary>How long a session waits without any lane before it ends with its streams.</summary>
    internal TimeSpan LanelessTime { get; init; } = TimeSpan.FromSeconds(30);
}
