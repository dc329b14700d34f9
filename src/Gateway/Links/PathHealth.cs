namespace Aggregator.Gateway.Links;

/// <summary>What the probes of one WAN say at one moment.</summary>
/// <param name="Reason">Why it is not up; null when it is.</param>
/// <param name="RttMs">Smoothed; null before the first answer.</param>
/// <param name="LossRatio">Of the latest probes, 0 to 1; null before the first has ended.</param>
/// <param name="Checking">No decision yet.</param>
internal sealed record PathHealth(LinkState State, string? Reason, double? RttMs, double? LossRatio, bool Checking);
