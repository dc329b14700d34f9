namespace Aggregator.Trunk;

/// <summary>The seam to the kernel below a lane: TCP_INFO of the subflow that carries it (MPTCP_FULL_INFO, or TCP_INFO after a fallback).</summary>
internal interface ILaneMeter
{
    /// <summary>
    /// Called before most writes (up to a few thousand times a second), by one thread at a time: allocates nothing, does not wait.
    /// </summary>
    /// <returns>False where the kernel tells nothing (the socket is closed, or is no TCP): the lane is then fed by what its writes take.</returns>
    bool TryRead(out LaneReading reading);
}

/// <summary>
/// What the kernel knows of a lane at this moment. Where several subflows carry it: sums of the bytes and rates, round-trip times of the quickest.
/// </summary>
internal readonly record struct LaneReading
{
    /// <summary>Written to the socket and not on the wire yet (tcpi_notsent_bytes; with MPTCP also what waits above the subflows, where it is known).</summary>
    internal long UnsentBytes { get; init; }

    /// <summary>On the wire and not acknowledged (segments × segment size is near enough).</summary>
    internal long InFlightBytes { get; init; }

    /// <summary>Of these what is on the way still: without what was acknowledged selectively or is held for lost.</summary>
    internal long PipeBytes { get; init; }

    /// <summary>Smoothed; zero: none measured yet.</summary>
    internal TimeSpan Rtt { get; init; }

    /// <summary>The lowest of the kernel's window; null: none measured yet.</summary>
    internal TimeSpan? MinRtt { get; init; }

    /// <summary>How far round trips lie from the smoothed one (tcpi_rttvar).</summary>
    internal TimeSpan RttVariation { get; init; }

    /// <summary>tcpi_delivery_rate; 0: none measured yet.</summary>
    internal long DeliveryRateBytesPerSecond { get; init; }

    /// <summary>tcpi_pacing_rate: how quickly the kernel sends what waits; 0 where it does not tell.</summary>
    internal long PacingRateBytesPerSecond { get; init; }

    /// <summary>The lane's bytes travel over another WAN than its own (the kernel moved them to a backup subflow): it is fed only when no other lane is left.</summary>
    internal bool OffOwnPath { get; init; }

    /// <summary>tcpi_snd_cwnd in bytes.</summary>
    internal long CongestionWindowBytes { get; init; }

    /// <summary>Acknowledged by the peer's TCP since the connection exists (tcpi_bytes_acked): only differences count.</summary>
    internal long AcknowledgedBytes { get; init; }

    /// <summary>
    /// Since the peer's TCP was last heard of on this connection (tcpi_last_ack_recv), selective acknowledgements included: a lane that repairs
    /// losses hears of its peer all the time, one in a black hole does not. Null where the kernel does not tell.
    /// </summary>
    internal TimeSpan? SinceAcknowledgement { get; init; }

    /// <summary>Segments sent again since the connection exists.</summary>
    internal long RetransmittedSegments { get; init; }
}
