namespace Aggregator.Trunk;

/// <summary>What the guard knows of one lane.</summary>
internal sealed class LaneGuard
{
    /// <summary>Held back until then; null: takes part.</summary>
    internal long? DemotedUntilUs { get; set; }

    /// <summary>In a row; each doubles the time until the next trial.</summary>
    internal int Demotions { get; set; }

    /// <summary>Not looked at before: it was found to be of use.</summary>
    internal long SpareUntilUs { get; set; }

    /// <summary>The total while it took part, when it last fell under suspicion.</summary>
    internal double? WithBytesPerSecond { get; set; }

    /// <summary>The total without it, measured right after.</summary>
    internal double? WithoutBytesPerSecond { get; set; }

    /// <summary>Periods on end in which most of what it carried went again.</summary>
    internal int SuspectPeriods { get; set; }

    internal long SentAtStart { get; set; }

    internal long ResentAtStart { get; set; }
}
