using Aggregator.Flows;

namespace Aggregator.Trunk;

/// <summary>What a lane does at this moment.</summary>
internal enum LaneState
{
    /// <summary>Takes its share.</summary>
    Active,

    /// <summary>A backup that waits.</summary>
    Standby,

    /// <summary>Nothing is heard of what it carries: its frames went again on other lanes; it carries again as soon as something is heard.</summary>
    Stalled,

    /// <summary>The guard holds it back because it lowered the total.</summary>
    Demoted,
}

/// <summary>A lane at one moment, for status. What was not measured yet is null.</summary>
internal sealed record TrunkLaneSample
{
    internal required uint Id { get; init; }

    internal required string Link { get; init; }

    internal required LaneRole Role { get; init; }

    internal required LaneState State { get; init; }

    /// <summary>What the lane can deliver in our direction, as far as known from when it was last busy.</summary>
    internal double? RateMbps { get; init; }

    /// <summary>What it delivered in the last second or so.</summary>
    internal double SentMbps { get; init; }

    internal double ReceivedMbps { get; init; }

    internal TimeSpan? Rtt { get; init; }

    internal TimeSpan? MinRtt { get; init; }

    /// <summary>From the hand-over to the lane to the arrival at the peer's trunk and back over the quickest lane.</summary>
    internal TimeSpan? Delay { get; init; }

    /// <summary>In the kernel, not on the wire yet.</summary>
    internal long QueuedBytes { get; init; }

    /// <summary>Handed to the lane and not acknowledged by the peer's trunk.</summary>
    internal long InFlightBytes { get; init; }

    internal long CongestionWindowBytes { get; init; }

    internal long RetransmittedSegments { get; init; }

    /// <summary>Payload handed to the lane, copies included.</summary>
    internal long SentBytes { get; init; }

    internal long ReceivedBytes { get; init; }

    /// <summary>Payload of this lane that had to go again on another one.</summary>
    internal long ResentBytes { get; init; }

    /// <summary>Its part of all payload that we sent in the last second or so; null when nothing was sent.</summary>
    internal double? Share { get; init; }

    /// <summary>What the guard found; null as long as it had no reason to look.</summary>
    internal GuardFinding? Guard { get; init; }
}

/// <summary>The total with and without a lane, as the guard measured it.</summary>
/// <param name="WithMbps">Delivered by all lanes while this one took part.</param>
/// <param name="WithoutMbps">Delivered without it; null: not known yet.</param>
/// <param name="RetryIn">Until it is tried again; null: it takes part.</param>
internal readonly record struct GuardFinding(double WithMbps, double? WithoutMbps, TimeSpan? RetryIn);

/// <summary>A stream at one moment.</summary>
/// <param name="Target">Where it goes; null on a stream whose open has not come yet.</param>
/// <param name="SentBytes">Taken from the writer.</param>
/// <param name="ReceivedBytes">In order, for the reader.</param>
/// <param name="LaneIds">The lanes that carried it lately, in either direction.</param>
internal sealed record TrunkStreamSample(
    uint Id, FlowTarget? Target, FlowClass FlowClass, long SentBytes, long ReceivedBytes, long SendBufferBytes, long ReceiveBufferBytes, uint[] LaneIds);

/// <summary>A session at one moment.</summary>
internal sealed record TrunkSample
{
    internal required IReadOnlyList<TrunkLaneSample> Lanes { get; init; }

    /// <summary>The most active ones first, at most as many as were asked for.</summary>
    internal required IReadOnlyList<TrunkStreamSample> Streams { get; init; }

    internal int StreamCount { get; init; }

    /// <summary>Payload that the peer's trunk has not acknowledged.</summary>
    internal long SendBufferBytes { get; init; }

    /// <summary>Payload that the readers have not taken.</summary>
    internal long ReceiveBufferBytes { get; init; }

    /// <summary>The part of it that waits for earlier bytes.</summary>
    internal long ReorderBytes { get; init; }

    /// <summary>The most that there ever was.</summary>
    internal long MaxReorderBytes { get; init; }

    /// <summary>Payload sent more than once.</summary>
    internal long ResentBytes { get; init; }

    /// <summary>What buffers of all sessions may hold at this moment, in each direction; follows the memory that is left.</summary>
    internal long BufferLimitBytes { get; init; }

    /// <summary>Payload of redundant streams that went a second time, as they want it; apart from <see cref="ResentBytes"/>.</summary>
    internal long RedundantBytes { get; init; }

    /// <summary>Streams of the redundant class.</summary>
    internal int RedundantStreamCount { get; init; }

    /// <summary>Payload that came more than once.</summary>
    internal long DuplicateBytes { get; init; }
}
