using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Packets;

/// <summary>Event ids 2960 to 2979.</summary>
internal static partial class PacketsLog
{
    [LoggerMessage(EventId = 2960, Level = LogLevel.Information, Message = "The LAN's packets go through {Interface} (IPv4 {V4}, IPv6 {V6}; {Nat})")]
    internal static partial void PacketsOn(this ILogger logger, string @interface, bool v4, bool v6, string nat);

    [LoggerMessage(EventId = 2961, Level = LogLevel.Warning, Message = "Packets are not carried: {Reason}; TCP is")]
    internal static partial void PacketsOff(this ILogger logger, string reason);

    [LoggerMessage(EventId = 2962, Level = LogLevel.Error, Message = "The upkeep of packets met an error of our own")]
    internal static partial void PacketsFault(this ILogger logger, Exception exception);

    [LoggerMessage(EventId = 2963, Level = LogLevel.Information, Message = "Real-time packets go as UDP datagrams over the lines themselves ({Policy})")]
    internal static partial void UdpLanesOn(this ILogger logger, string policy);

    [LoggerMessage(EventId = 2964, Level = LogLevel.Warning, Message = "Real-time packets ride the trunk: {Reason}")]
    internal static partial void NoUdpLanes(this ILogger logger, string reason);
}
