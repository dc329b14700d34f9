namespace Aggregator.Trunk;

/// <summary>A lane of a session, as those who made it see it.</summary>
internal sealed class TrunkLane
{
    private readonly TaskCompletionSource<LaneEnd> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal TrunkLane(TrunkSession session, LaneTransport transport)
    {
        Session = session;
        Transport = transport;
    }

    internal TrunkSession Session { get; }

    internal LaneTransport Transport { get; }

    internal uint Id => Transport.Id;

    internal string Link => Transport.Link;

    /// <summary>Completes when the lane is no part of the session any more; its connection is closed then. Never faults.</summary>
    internal Task<LaneEnd> Ended => _ended.Task;

    /// <summary>Nothing is heard of what the lane carries (a black hole, most likely): dial another one over the same link and close this one when that carries. Null: all is well.</summary>
    internal TimeSpan? StalledFor => throw new NotImplementedException();

    /// <summary>Changes how the lane takes part, at both ends. The gateway's to decide.</summary>
    internal void SetRole(LaneRole role) => throw new NotImplementedException();

    /// <summary>Ends the lane now; what it carried goes again on the others.</summary>
    internal void Close() => throw new NotImplementedException();

    internal void SetEnded(LaneEnd end) => _ended.TrySetResult(end);
}
