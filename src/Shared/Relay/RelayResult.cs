namespace Aggregator.Relay;

/// <summary>How a relay ended.</summary>
internal enum RelayEnd
{
    /// <summary>Both directions ended in good order.</summary>
    Completed,

    /// <summary>The first stream broke (reset, truncation, time-out); the second was aborted.</summary>
    FirstBroke,

    /// <summary>The second stream broke; the first was aborted.</summary>
    SecondBroke,

    /// <summary>Told to end; both were aborted.</summary>
    Cancelled,

    /// <summary>A receiver took nothing for long while others waited for the memory; both were aborted.</summary>
    Stuck,
}

/// <param name="FirstToSecondBytes">Bytes written to the second stream.</param>
/// <param name="SecondToFirstBytes">Bytes written to the first stream.</param>
/// <param name="Error">What the broken side said; null for the other ends.</param>
internal readonly record struct RelayResult(RelayEnd End, long FirstToSecondBytes, long SecondToFirstBytes, Exception? Error);
