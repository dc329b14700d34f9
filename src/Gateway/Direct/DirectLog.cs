using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Direct;

/// <summary>Event ids 2900 to 2919.</summary>
internal static partial class DirectLog
{
    [LoggerMessage(EventId = 2900, Level = LogLevel.Warning, Message = "New flows go out directly: {Reason}")]
    internal static partial void DirectOn(this ILogger logger, string reason);

    [LoggerMessage(EventId = 2901, Level = LogLevel.Information, Message = "New flows are carried again; direct ones finish where they are")]
    internal static partial void DirectOff(this ILogger logger);

    [LoggerMessage(EventId = 2902, Level = LogLevel.Information, Message = "{Flows} direct flows ended with their link")]
    internal static partial void FlowsEnded(this ILogger logger, int flows);
}
