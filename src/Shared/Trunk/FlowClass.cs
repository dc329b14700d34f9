namespace Aggregator.Trunk;

/// <summary>What a flow needs of the trunk. The numbers are those on the wire.</summary>
internal enum FlowClass : byte
{
    /// <summary>Quick while it is small, full rate when it becomes large: right for nearly everything.</summary>
    Default = 0,

    /// <summary>Each frame goes on the two quickest lanes: for games and calls. Costs its rate twice.</summary>
    Redundant = 1,
}
