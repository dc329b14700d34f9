namespace Aggregator.Gateway.Lanes;

/// <summary>Every time and number of the lanes' upkeep in one place.</summary>
internal sealed record TrunkLimits
{
    internal static TrunkLimits Default { get; } = new();

    /// <summary>The pause after a first failed dial; doubles up to <see cref="MaxRedialPause"/>.</summary>
    internal TimeSpan MinRedialPause { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>So that a VPS that is back, or a link, carries within a second.</summary>
    internal TimeSpan MaxRedialPause { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>A lane that has been silent for so long is given company: TCP's own timers may sleep long past the link's return.</summary>
    internal TimeSpan SilenceToReplace { get; init; } = TimeSpan.FromMilliseconds(700);

    /// <summary>For a connection beside a silent lane, with six of its link's round trips.</summary>
    internal TimeSpan LeastPatience { get; init; } = TimeSpan.FromMilliseconds(400);

    /// <summary>How often lanes are looked at.</summary>
    internal TimeSpan LookAgain { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>How long a new flow waits for a lane, while one may come.</summary>
    internal TimeSpan WaitForLane { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>New flows that wait at once; further ones are refused as busy.</summary>
    internal int MaxWaiting { get; init; } = 16_000;

    /// <summary>From open to the VPS's answer. Longer than the VPS's own dial takes to time out; this one is for a VPS that is gone.</summary>
    internal TimeSpan AnswerTimeout { get; init; } = TimeSpan.FromSeconds(40);
}
