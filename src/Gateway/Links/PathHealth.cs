namespace Aggregator.Gateway.Links;

/// <summary>What the watch over one WAN says at one moment.</summary>
/// <param name="Reason">Why it is not up; null when it is.</param>
/// <param name="RttMs">Smoothed; null before the first answer.</param>
/// <param name="LossRatio">Of the latest probes, 0 to 1; null before the first has ended.</param>
/// <param name="Checking">No decision yet.</param>
internal sealed record PathHealth(LinkState State, string? Reason, double? RttMs, double? LossRatio, bool Checking)
{
    /// <summary>Mean deviation of the round trips; null before the second answer.</summary>
    internal double? JitterMs { get; init; }

    /// <summary>A mark of the configuration is exceeded: it works, and others are better.</summary>
    internal bool Impaired { get; init; }

    /// <summary>While the VPS does not answer: the target that does. Null: none does, or none was asked.</summary>
    internal string? OtherAnswers { get; init; }

    /// <summary>The same of the link's next hop; null: not asked.</summary>
    internal bool? NextHopAnswers { get; init; }
}
