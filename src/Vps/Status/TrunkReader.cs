using Aggregator.Protocol.V1;
using Aggregator.Trunk;
using Aggregator.Vps.Sessions;

namespace Aggregator.Vps.Status;

/// <summary>A gateway's trunk as this end sees it. After a restart of the gateway there are two for a moment: the one with more lanes is the living one.</summary>
internal static class TrunkReader
{
    /// <summary>Null: it has none.</summary>
    internal static TrunkStatus? Of(LiveGateway gateway)
    {
        if (gateway.Trunks.MaxBy(t => t.LaneCount) is not { } trunk)
        {
            return null;
        }

        TrunkStatus status = TrunkStatusText.Of(trunk.Sample(0));
        foreach (TrunkLaneStatus lane in status.Lanes)
        {
            if (gateway.FindLane(trunk, lane.Id) is { } look)
            {
                look.Describe(lane);
            }
        }

        return status;
    }
}
