using Microsoft.Extensions.Logging;

namespace Aggregator.Vps.Packets;

/// <summary>Event ids 3900 to 3949.</summary>
internal static partial class PacketsLog
{
    [LoggerMessage(EventId = 3901, Level = LogLevel.Information, Message = "{Gateway}: packets through {Interface} for {Networks}")]
    internal static partial void PacketsAttached(this ILogger logger, string gateway, string @interface, string networks);

    [LoggerMessage(EventId = 3902, Level = LogLevel.Warning, Message = "{Gateway}: packets cannot be taken: {Problem}")]
    internal static partial void PacketsRefused(this ILogger logger, string gateway, string problem);
}
