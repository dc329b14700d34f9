namespace Aggregator.Trunk;

/// <summary>Why a session ended.</summary>
internal enum TrunkEndReason
{
    /// <summary>We ended it.</summary>
    Closed,

    /// <summary>The peer ended it.</summary>
    ClosedByPeer,

    /// <summary>No lane for <see cref="TrunkOptions.LanelessTime"/>.</summary>
    NoLanes,

    /// <summary>The peer sent what the protocol does not allow; it is told so.</summary>
    ProtocolError,
}

/// <param name="Reason">Why.</param>
/// <param name="Detail">For the log; null for a plain close.</param>
internal readonly record struct TrunkEnd(TrunkEndReason Reason, string? Detail);
