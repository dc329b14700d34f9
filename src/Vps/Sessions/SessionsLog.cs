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

    [LoggerMessage(EventId = 3206, Level = LogLevel.Information, Message = "{Name}: lane {Id} over {Link} is up, {Kind}")]
    internal static partial void LaneUp(this ILogger logger, string name, uint id, string link, string kind);

    [LoggerMessage(EventId = 3207, Level = LogLevel.Information, Message = "{Name}: lane {Id} over {Link} ended: {Reason} {Detail}")]
    internal static partial void LaneEnded(this ILogger logger, string name, uint id, string link, string reason, string detail);

    [LoggerMessage(EventId = 3208, Level = LogLevel.Information, Message = "{Name}: a lane was refused: {Status}")]
    internal static partial void LaneRefused(this ILogger logger, string name, string status);

    [LoggerMessage(EventId = 3209, Level = LogLevel.Information, Message = "{Name}: trunk ended: {Reason} {Detail}")]
    internal static partial void TrunkEnded(this ILogger logger, string name, string reason, string detail);

    [LoggerMessage(EventId = 3210, Level = LogLevel.Error, Message = "{Name}: a stream of the trunk met an error of our own")]
    internal static partial void StreamFault(this ILogger logger, string name, Exception exception);
}
