using Aggregator.Relay;

namespace Aggregator.Trunk;

/// <summary>A connection that becomes a lane: connected, its peer authenticated, its hello exchanged (<see cref="LaneHandshake"/>).</summary>
/// <param name="Id">The lane's number from its hello: never used twice in a session.</param>
/// <param name="Link">The WAN's name, as in its hello.</param>
/// <param name="Role">As in its hello.</param>
/// <param name="Stream">The session owns it from <see cref="TrunkSession.AddLane"/> on.</param>
/// <param name="Meter">Of the same connection.</param>
/// <param name="Congestion">Likewise; null: its congestion control is left as it is.</param>
internal sealed record LaneTransport(uint Id, string Link, LaneRole Role, IByteStream Stream, ILaneMeter Meter, LaneCongestion? Congestion = null);
