using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Apply;

/// <summary>Event ids 2500 to 2599.</summary>
internal static partial class ApplyLog
{
    [LoggerMessage(EventId = 2501, Level = LogLevel.Information, Message = "Host: {Operation}")]
    internal static partial void Applied(this ILogger logger, string operation);

    [LoggerMessage(EventId = 2502, Level = LogLevel.Warning, Message = "Host: {Warning}")]
    internal static partial void Problem(this ILogger logger, string warning);

    [LoggerMessage(EventId = 2503, Level = LogLevel.Error, Message = "The host could not be brought to what is wanted; trying again: {Problem}")]
    internal static partial void Failed(this ILogger logger, string problem);

    [LoggerMessage(EventId = 2504, Level = LogLevel.Information, Message = "The host is as it was before: {Changes} changes taken back")]
    internal static partial void CleanedUp(this ILogger logger, int changes);

    [LoggerMessage(EventId = 2505, Level = LogLevel.Information, Message = "Subflows over a lost link are left to their timers: {Reason}")]
    internal static partial void SubflowsStay(this ILogger logger, string reason);
}
