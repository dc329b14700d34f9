using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Speed;

/// <summary>Event ids 2800 to 2849.</summary>
internal static partial class SpeedLog
{
    [LoggerMessage(EventId = 2801, Level = LogLevel.Information, Message = "A speed test begins: {Links}")]
    internal static partial void TestBegan(this ILogger logger, string links);

    [LoggerMessage(EventId = 2802, Level = LogLevel.Information, Message = "The speed test has ended after {Seconds:0.0} s")]
    internal static partial void TestEnded(this ILogger logger, double seconds);

    [LoggerMessage(EventId = 2803, Level = LogLevel.Warning, Message = "The history of speed tests: {Problem}")]
    internal static partial void HistoryDamaged(this ILogger logger, string problem);

    [LoggerMessage(EventId = 2804, Level = LogLevel.Warning, Message = "The speed test is not kept in the history: {Reason}")]
    internal static partial void HistoryNotWritten(this ILogger logger, string reason);

    [LoggerMessage(EventId = 2806, Level = LogLevel.Information, Message = "MPTCP by link: {Verdicts}")]
    internal static partial void PathsVerified(this ILogger log, string verdicts);

    [LoggerMessage(EventId = 2807, Level = LogLevel.Error, Message = "The verification of MPTCP failed unexpectedly; it goes on")]
    internal static partial void WatchFault(this ILogger log, Exception exception);
}
