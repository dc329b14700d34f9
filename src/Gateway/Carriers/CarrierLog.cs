using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Carriers;

/// <summary>Event ids 2200 to 2299.</summary>
internal static partial class CarrierLog
{
    [LoggerMessage(EventId = 2201, Level = LogLevel.Warning, Message = "No connection to the VPS can be made: {Reason}. Flows fail until one can")]
    internal static partial void PoolFailing(this ILogger logger, string reason);

    [LoggerMessage(EventId = 2202, Level = LogLevel.Information, Message = "Connections to the VPS can be made again")]
    internal static partial void PoolRecovered(this ILogger logger);

    [LoggerMessage(EventId = 2203, Level = LogLevel.Debug, Message = "Dialling the VPS at {Address} over {Wan} failed: {Reason}")]
    internal static partial void DialFailed(this ILogger logger, string address, string wan, string reason);

    [LoggerMessage(EventId = 2204, Level = LogLevel.Debug, Message = "{Count} ready connections dropped: {Reason}")]
    internal static partial void ReadyDropped(this ILogger logger, int count, string reason);

    [LoggerMessage(EventId = 2205, Level = LogLevel.Error, Message = "The pool's upkeep met an error of our own")]
    internal static partial void PoolFault(this ILogger logger, Exception exception);

    [LoggerMessage(EventId = 2206, Level = LogLevel.Information, Message = "Paths of connections: {Paths}")]
    internal static partial void Paths(this ILogger logger, string paths);

    [LoggerMessage(EventId = 2207, Level = LogLevel.Debug, Message = "Subflow of connection {Token:x8} from {Local}: {Result}")]
    internal static partial void SubflowAsked(this ILogger logger, uint token, string local, string result);

    [LoggerMessage(EventId = 2208, Level = LogLevel.Information, Message = "{Count} connections left {Local}")]
    internal static partial void PathLeft(this ILogger logger, int count, string local);

    [LoggerMessage(EventId = 2209, Level = LogLevel.Information, Message = "{Count} subflows that were lost are asked for again")]
    internal static partial void SubflowsAgain(this ILogger logger, int count);

    [LoggerMessage(EventId = 2210, Level = LogLevel.Warning, Message = "Subflows of paths that are gone cannot be ended: {Reason}; a transfer may wait until its peer gives up on them")]
    internal static partial void SubflowsNotEnded(this ILogger logger, string reason);

    [LoggerMessage(EventId = 2212, Level = LogLevel.Warning, Message = "Where the VPS was cannot be read; its name is resolved: {Problem}")]
    internal static partial void VpsMemoryUnreadable(this ILogger logger, string problem);

    [LoggerMessage(EventId = 2213, Level = LogLevel.Warning, Message = "Where the VPS is cannot be written, and a start behind a resolver that lies may not find it: {Problem}")]
    internal static partial void VpsMemoryNotWritten(this ILogger logger, string problem);

    [LoggerMessage(EventId = 2211, Level = LogLevel.Error, Message = "The upkeep of connections' paths met an error of our own")]
    internal static partial void PathsFault(this ILogger logger, Exception exception);
}
