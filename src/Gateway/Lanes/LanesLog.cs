using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Lanes;

/// <summary>Event ids 2250 to 2299.</summary>
internal static partial class LanesLog
{
    [LoggerMessage(EventId = 2250, Level = LogLevel.Information, Message = "Backup paths for lanes: {Way}")]
    internal static partial void BackupWay(this ILogger logger, string way);

    [LoggerMessage(EventId = 2251, Level = LogLevel.Debug, Message = "Backup path of connection {Token:x8} over {Wan}: {Result}")]
    internal static partial void BackupAsked(this ILogger logger, uint token, string wan, string result);

    [LoggerMessage(EventId = 2252, Level = LogLevel.Error, Message = "The upkeep of backup paths met an error of our own")]
    internal static partial void BackupFault(this ILogger logger, Exception exception);

    [LoggerMessage(EventId = 2253, Level = LogLevel.Information, Message = "Lane {Id} over {Wan} is up, from {Local}, {Kind}")]
    internal static partial void LaneUp(this ILogger logger, string wan, uint id, string local, string kind);

    [LoggerMessage(EventId = 2254, Level = LogLevel.Information, Message = "Lane {Id} over {Wan} closed: {Why}")]
    internal static partial void LaneClosed(this ILogger logger, string wan, uint id, string why);

    [LoggerMessage(EventId = 2255, Level = LogLevel.Information, Message = "Lane {Id} over {Wan} ended: {Reason} {Detail}")]
    internal static partial void LaneEnded(this ILogger logger, string wan, uint id, string reason, string detail);

    [LoggerMessage(EventId = 2256, Level = LogLevel.Information, Message = "Lane {Fresh} takes the place of lane {Id} over {Wan}: {Why}")]
    internal static partial void LaneReplaced(this ILogger logger, string wan, uint id, uint fresh, string why);

    [LoggerMessage(EventId = 2257, Level = LogLevel.Warning, Message = "No lane over {Wan}: {Reason}")]
    internal static partial void LaneFailed(this ILogger logger, string wan, string reason);

    [LoggerMessage(EventId = 2258, Level = LogLevel.Error, Message = "The upkeep of the lane over {Wan} met an error of our own")]
    internal static partial void KeeperFault(this ILogger logger, string wan, Exception exception);

    [LoggerMessage(EventId = 2259, Level = LogLevel.Information, Message = "The trunk's session ended: {Reason} {Detail}")]
    internal static partial void SessionEnded(this ILogger logger, string reason, string detail);

    [LoggerMessage(EventId = 2260, Level = LogLevel.Error, Message = "The trunk's carrier met an error of our own")]
    internal static partial void CarrierFault(this ILogger logger, Exception exception);
}
