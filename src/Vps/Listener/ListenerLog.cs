using System.Net;
using Microsoft.Extensions.Logging;

namespace Aggregator.Vps.Listener;

/// <summary>Event ids 3100 to 3199.</summary>
internal static partial class ListenerLog
{
    [LoggerMessage(EventId = 3101, Level = LogLevel.Information, Message = "Listening on {EndPoint} ({Protocol})")]
    internal static partial void Listening(this ILogger logger, EndPoint endPoint, string protocol);

    [LoggerMessage(EventId = 3102, Level = LogLevel.Warning, Message = "{Warning}")]
    internal static partial void ListenWarning(this ILogger logger, string warning);

    [LoggerMessage(EventId = 3103, Level = LogLevel.Warning, Message = "Cannot accept connections at the moment: {Reason}")]
    internal static partial void AcceptFailing(this ILogger logger, string reason);

    [LoggerMessage(EventId = 3104, Level = LogLevel.Information, Message = "Accepting connections again")]
    internal static partial void AcceptRecovered(this ILogger logger);

    [LoggerMessage(EventId = 3105, Level = LogLevel.Debug, Message = "{Address} was not let in: {Reason}")]
    internal static partial void Turned(this ILogger logger, IPAddress address, string reason);

    [LoggerMessage(EventId = 3106, Level = LogLevel.Warning,
        Message = "{Count} connections were closed unheard within a minute: too many at once whose peer is not known (last from {Address})")]
    internal static partial void Flooded(this ILogger logger, int count, IPAddress address);

    [LoggerMessage(EventId = 3107, Level = LogLevel.Error, Message = "A connection met an error of our own")]
    internal static partial void ConnectionFault(this ILogger logger, Exception exception);
}
