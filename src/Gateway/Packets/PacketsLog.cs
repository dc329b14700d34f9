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
}
