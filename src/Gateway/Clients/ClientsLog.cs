using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Clients;

/// <summary>Event ids 2980 to 2989.</summary>
internal static partial class ClientsLog
{
    [LoggerMessage(EventId = 2980, Level = LogLevel.Information, Message = "Roaming clients come in through {Interface} ({Backend}) on UDP port {Port}")]
    internal static partial void ClientsOn(this ILogger logger, string @interface, string backend, int port);

    [LoggerMessage(EventId = 2981, Level = LogLevel.Warning, Message = "Roaming clients cannot come in: {Reason}; tried again in {Seconds} s")]
    internal static partial void ClientsOff(this ILogger logger, string reason, double seconds);

    [LoggerMessage(EventId = 2982, Level = LogLevel.Error, Message = "The upkeep of roaming clients met an error of our own")]
    internal static partial void ClientsFault(this ILogger logger, Exception exception);
}
