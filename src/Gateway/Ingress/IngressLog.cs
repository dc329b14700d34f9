using System.Net;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Ingress;

/// <summary>Event ids 2100 to 2199.</summary>
internal static partial class IngressLog
{
    [LoggerMessage(EventId = 2101, Level = LogLevel.Information, Message = "{Ingress} listens on {EndPoint}")]
    internal static partial void Listening(this ILogger logger, string ingress, IPEndPoint endPoint);

    [LoggerMessage(EventId = 2102, Level = LogLevel.Warning, Message = "{Ingress} cannot accept connections at the moment: {Reason}. It tries again in {PauseMs} ms")]
    internal static partial void AcceptFailed(this ILogger logger, string ingress, string reason, double pauseMs);

    [LoggerMessage(EventId = 2103, Level = LogLevel.Information, Message = "{Ingress} accepts connections again")]
    internal static partial void AcceptRecovered(this ILogger logger, string ingress);

    [LoggerMessage(EventId = 2104, Level = LogLevel.Error, Message = "{Ingress}: a connection ended by an error of our own")]
    internal static partial void ClientFault(this ILogger logger, Exception exception, string ingress);

    [LoggerMessage(EventId = 2105, Level = LogLevel.Warning, Message = "{Ingress}: {Client} connected to the listener itself; refused, for it would loop")]
    internal static partial void LoopRefused(this ILogger logger, string ingress, EndPoint? client);

    [LoggerMessage(EventId = 2106, Level = LogLevel.Debug, Message = "{Ingress}: {Client} sent no valid request: {Reason}")]
    internal static partial void BadRequest(this ILogger logger, string ingress, EndPoint? client, string reason);

    [LoggerMessage(EventId = 2107, Level = LogLevel.Warning, Message = "{Ingress}: {Client} gave a wrong user name or password")]
    internal static partial void WrongCredentials(this ILogger logger, string ingress, EndPoint? client);

    [LoggerMessage(EventId = 2108, Level = LogLevel.Debug, Message = "{Ingress}: {Target} not opened for {Client}: {Result}")]
    internal static partial void NotOpened(this ILogger logger, string ingress, string target, EndPoint? client, string result);

    [LoggerMessage(EventId = 2109, Level = LogLevel.Debug, Message = "{Ingress}: {Client} went away: {Reason}")]
    internal static partial void ClientGone(this ILogger logger, string ingress, EndPoint? client, string reason);
}
