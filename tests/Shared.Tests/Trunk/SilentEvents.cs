using Aggregator.Flows;
using Aggregator.Trunk;

namespace Aggregator.Shared.Tests.Trunk;

/// <summary>An engine's shell that takes note of what a test may want to know, and does nothing.</summary>
internal class SilentEvents : ITrunkEvents
{
    internal List<EngineStream> OpenedStreams { get; } = [];

    internal List<(EngineStream Stream, StreamBreak Reason)> BrokenStreams { get; } = [];

    internal List<EngineLane> GuardedLanes { get; } = [];

    internal HashSet<EngineLane> LanesWithWork { get; } = [];

    public void LaneHasWork(EngineLane lane) => LanesWithWork.Add(lane);

    public void Readable(EngineStream stream)
    {
    }

    public void Writable(EngineStream stream)
    {
    }

    public void Answered(EngineStream stream, FlowReply reply)
    {
    }

    public virtual void Opened(EngineStream stream) => OpenedStreams.Add(stream);

    public virtual void Broken(EngineStream stream, StreamBreak reason) => BrokenStreams.Add((stream, reason));

    public virtual void PeerLeft(GoodbyeCode code)
    {
    }

    public void LaneStalled(EngineLane lane, bool isStalled)
    {
    }

    public void LaneGuarded(EngineLane lane) => GuardedLanes.Add(lane);
}
