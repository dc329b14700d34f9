using System.Net;
using Aggregator.Flows;
using Microsoft.Extensions.Logging;

namespace Aggregator.Vps.Sessions;

/// <summary>Event ids 3200 to 3299.</summary>
internal static partial class SessionsLog
{
    [LoggerMessage(EventId = 3201, Level = LogLevel.Information, Message = "Gateway {Name} is not paired any more: {Connections} connections ended")]
    internal static partial void GatewayEnded(this ILogger logger, string name, int connections);

    [LoggerMessage(EventId = 3202, Level = LogLevel.Information, Message = "Gateway {Name} connected from {Address}, version {Version}")]
    internal static partial void GatewayConnected(this ILogger logger, string name, IPAddress address, string version);

    [LoggerMessage(EventId = 3203, Level = LogLevel.Information, Message = "Gateway {Name} disconnected: {Reason}")]
    internal static partial void GatewayDisconnected(this ILogger logger, string name, string reason);

    // Targets are the users' affair: they are told at debug level only.
    [LoggerMessage(EventId = 3204, Level = LogLevel.Debug, Message = "{Name}: flow to {Target}: {Result}")]
    internal static partial void FlowAnswered(this ILogger logger, string name, FlowTarget target, OpenResult result);

    [LoggerMessage(EventId = 3205, Level = LogLevel.Warning, Message = "{Name}: a data connection broke the protocol: {Reason}")]
    internal static partial void ProtocolBroken(this ILogger logger, string name, string reason);
}
