using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Links;

/// <summary>Event ids 2300 to 2399.</summary>
internal static partial class LinksLog
{
    [LoggerMessage(EventId = 2301, Level = LogLevel.Information, Message = "Link {Link} ({Interface}) is {State}: {Reason}")]
    internal static partial void LinkChanged(this ILogger logger, string link, string @interface, LinkState state, string reason);

    [LoggerMessage(EventId = 2302, Level = LogLevel.Information, Message = "Link {Link} is {Role} from now on")]
    internal static partial void RoleSet(this ILogger logger, string link, Configuration.LinkRole role);

    [LoggerMessage(EventId = 2303, Level = LogLevel.Warning, Message = "What was remembered of the links is unreadable and starts anew: {Problem}")]
    internal static partial void MemoryUnreadable(this ILogger logger, string problem);

    [LoggerMessage(EventId = 2304, Level = LogLevel.Warning, Message = "What is remembered of the links could not be written: {Problem}")]
    internal static partial void MemoryNotWritten(this ILogger logger, string problem);

    [LoggerMessage(EventId = 2305, Level = LogLevel.Debug, Message = "The kernel dropped events; reading everything anew")]
    internal static partial void EventsLost(this ILogger logger);

    [LoggerMessage(EventId = 2306, Level = LogLevel.Error, Message = "Following the network's changes failed; trying again")]
    internal static partial void MonitorFailed(this ILogger logger, Exception exception);

    [LoggerMessage(EventId = 2307, Level = LogLevel.Error, Message = "The probe of {Interface} failed; it starts again")]
    internal static partial void ProbeFailed(this ILogger logger, Exception exception, string @interface);

    [LoggerMessage(EventId = 2308, Level = LogLevel.Error, Message = "A look at the carrier's connections failed; the next one comes all the same")]
    internal static partial void TrafficWatchFailed(this ILogger logger, Exception exception);
}
