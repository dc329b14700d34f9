namespace Aggregator.Gateway.Speed;

internal enum SpeedFailure
{
    /// <summary>A test runs already.</summary>
    Busy,

    UnknownLink,

    /// <summary>No VPS, or it cannot be reached or is too old.</summary>
    NoVps,
}

/// <summary>The test as a whole cannot be done. The message is one sentence for the user.</summary>
internal sealed class SpeedException(SpeedFailure failure, string message, Exception? inner = null) : Exception(message, inner)
{
    internal SpeedFailure Failure { get; } = failure;
}
