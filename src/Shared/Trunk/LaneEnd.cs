namespace Aggregator.Trunk;

/// <summary>Why a lane ended.</summary>
internal enum LaneEndReason
{
    /// <summary>We closed it: <see cref="TrunkLane.Close"/>, or the session ended.</summary>
    Closed,

    /// <summary>The peer ended it in good order.</summary>
    ClosedByPeer,

    /// <summary>The connection broke.</summary>
    Broken,

    /// <summary>The peer sent what the protocol does not allow.</summary>
    ProtocolError,
}

/// <param name="Reason">Why.</param>
/// <param name="Detail">For the log: what the connection or the protocol said; null for a plain close.</param>
internal readonly record struct LaneEnd(LaneEndReason Reason, string? Detail);
