using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Events;

/// <summary>Event ids 2920 to 2939.</summary>
internal static partial class EventsLog
{
    [LoggerMessage(EventId = 2920, Level = LogLevel.Warning, Message = "The event log {Path} cannot be read and is begun anew: {Problem}")]
    internal static partial void LogUnreadable(this ILogger logger, string path, string problem);

    [LoggerMessage(EventId = 2921, Level = LogLevel.Warning, Message = "The event log {Path} cannot be written: {Problem}")]
    internal static partial void LogNotWritten(this ILogger logger, string path, string problem);

    [LoggerMessage(EventId = 2922, Level = LogLevel.Warning, Message = "Hook {Hook} at {Action}: {Problem}")]
    internal static partial void HookFailed(this ILogger logger, string hook, string action, string problem);

    [LoggerMessage(EventId = 2923, Level = LogLevel.Warning, Message = "Hooks: {Problem}")]
    internal static partial void HookNotRun(this ILogger logger, string problem);
}
