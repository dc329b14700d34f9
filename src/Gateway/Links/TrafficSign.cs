namespace Aggregator.Gateway.Links;

/// <summary>What the carrier's connections show of a WAN.</summary>
internal enum TrafficSign
{
    /// <summary>The peer acknowledged or sent new payload: both directions work.</summary>
    Moves,

    /// <summary>It did neither for a while, although it should have.</summary>
    Silent,

    /// <summary>It goes on, and much of it is sent again.</summary>
    Loses,
}
