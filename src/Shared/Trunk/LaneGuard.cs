namespace Aggregator.Trunk;

/// <summary>What the guard knows of one lane.</summary>
internal sealed class LaneGuard
{
    /// <summary>Held back until then; null: takes part.</summary>
    internal long? DemotedUntilUs { get; set; }

    internal int Demotions { get; set; }

    internal double? WithBytesPerSecond { get; set; }

    internal double? WithoutBytesPerSecond { get; set; }
}
