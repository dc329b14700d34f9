namespace Aggregator.Trunk;

/// <summary>The limits of a session. The defaults are the product's.</summary>
internal sealed record TrunkOptions
{
    /// <summary>Lanes at a time: two for each of eight WANs.</summary>
    internal int MaxLanes { get; init; } = 16;

    /// <summary>Streams at a time; the gateway refuses more itself, the VPS answers "busy".</summary>
    internal int MaxStreams { get; init; } = 16_384;

    /// <summary>
    /// How far a peer may send on a stream before anything was read of it, while few streams are open: lanes that are a third of a second apart find
    /// their places in it from the first moment, at 200 Mbit/s. It is a promise, not memory.
    /// </summary>
    internal long FirstWindowBytes { get; init; } = 8L << 20;

    /// <summary>The same when there are more.</summary>
    internal long InitialWindowBytes { get; init; } = 256 * 1024;

    /// <summary>1 Gbit/s over lanes that are half a second apart.</summary>
    internal long MaxWindowBytes { get; init; } = 64L << 20;

    /// <summary>How long a session waits without any lane before it ends with its streams.</summary>
    internal TimeSpan LanelessTime { get; init; } = TimeSpan.FromSeconds(30);
}
