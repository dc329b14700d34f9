using Microsoft.Extensions.Logging;

namespace Aggregator.Vps.Packets;

/// <summary>Event ids 3900 to 3949.</summary>
internal static partial class PacketsLog
{
    [LoggerMessage(EventId = 3901, Level = LogLevel.Information, Message = "{Gateway}: packets through {Interface} for {Networks}")]
    internal static partial void PacketsAttached(this ILogger logger, string gateway, string @interface, string networks);

    [LoggerMessage(EventId = 3902, Level = LogLevel.Warning, Message = "{Gateway}: packets cannot be taken: {Problem}")]
    internal static partial void PacketsRefused(this ILogger logger, string gateway, string problem);

    [LoggerMessage(EventId = 3903, Level = LogLevel.Information, Message = "Datagram lanes are taken on UDP {Address}")]
    internal static partial void UdpOpen(this ILogger logger, string address);

    [LoggerMessage(EventId = 3904, Level = LogLevel.Error, Message = "A datagram met an error of our own")]
    internal static partial void UdpFault(this ILogger logger, Exception exception);

    [LoggerMessage(EventId = 3905, Level = LogLevel.Information, Message = "{Gateway}: real-time packets by UDP ({Policy})")]
    internal static partial void LanesOpened(this ILogger logger, string gateway, string policy);
}
