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
}
