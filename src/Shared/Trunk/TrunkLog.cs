using Microsoft.Extensions.Logging;

namespace Aggregator.Trunk;

internal static partial class TrunkLog
{
    [LoggerMessage(EventId = 1601, Level = LogLevel.Information, Message = "Trunk {Trunk}: lane {Lane} over {Link} is up")]
    public static partial void LaneUp(this ILogger logger, string trunk, uint lane, string link);

    [LoggerMessage(EventId = 1602, Level = LogLevel.Information, Message = "Trunk {Trunk}: lane {Lane} over {Link} ended ({Reason}): {Detail}")]
    public static partial void LaneEnded(this ILogger logger, string trunk, uint lane, string link, LaneEndReason reason, string detail);

    [LoggerMessage(EventId = 1603, Level = LogLevel.Information, Message = "Trunk {Trunk}: lane {Lane} over {Link} is silent; the others carry")]
    public static partial void LaneStalled(this ILogger logger, string trunk, uint lane, string link);

    [LoggerMessage(EventId = 1604, Level = LogLevel.Information, Message = "Trunk {Trunk}: lane {Lane} over {Link} is heard of again")]
    public static partial void LaneBack(this ILogger logger, string trunk, uint lane, string link);

    [LoggerMessage(EventId = 1605, Level = LogLevel.Information,
        Message = "Trunk {Trunk}: lane {Lane} over {Link} lowers the total ({WithMbps:F1} Mbit/s with it, {WithoutMbps:F1} without); held back for {Seconds:F0} s")]
    public static partial void LaneDemoted(
        this ILogger logger, string trunk, uint lane, string link, double withMbps, double withoutMbps, double seconds);

    [LoggerMessage(EventId = 1606, Level = LogLevel.Information, Message = "Trunk {Trunk} ended ({Reason}): {Detail}")]
    public static partial void TrunkEnded(this ILogger logger, string trunk, TrunkEndReason reason, string detail);

    [LoggerMessage(EventId = 1607, Level = LogLevel.Debug, Message = "Trunk {Trunk}: stream {Stream} broke: {Reason}")]
    public static partial void StreamBroke(this ILogger logger, string trunk, uint stream, StreamBreak reason);

    [LoggerMessage(EventId = 1608, Level = LogLevel.Error, Message = "Trunk {Trunk}: lane {Lane} met an error of ours")]
    public static partial void LaneFailed(this ILogger logger, Exception exception, string trunk, uint lane);
}
