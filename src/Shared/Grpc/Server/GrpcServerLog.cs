using Grpc.Core;
using Microsoft.Extensions.Logging;

namespace Grpc.AspNetCore.Server.Internal;

/// <summary>Event ids 1401-1409.</summary>
internal static partial class GrpcServerLog
{
    [LoggerMessage(EventId = 1401, Level = LogLevel.Error, Message = "Handler of {Method} failed")]
    public static partial void HandlerFailed(this ILogger log, Exception exception, string method);

    [LoggerMessage(EventId = 1402, Level = LogLevel.Debug, Message = "{Method} ended with {Code}: {Detail}")]
    public static partial void CallRefused(this ILogger log, string method, StatusCode code, string detail);

    [LoggerMessage(EventId = 1403, Level = LogLevel.Debug, Message = "{Method}: the deadline passed")]
    public static partial void DeadlinePassed(this ILogger log, string method);

    [LoggerMessage(EventId = 1404, Level = LogLevel.Debug, Message = "{Method}: the client ended the call ({Reason})")]
    public static partial void ClientGone(this ILogger log, string method, string reason);

    [LoggerMessage(EventId = 1405, Level = LogLevel.Warning, Message = "{Method}: its status could not be sent")]
    public static partial void StatusNotSent(this ILogger log, Exception exception, string method);
}
