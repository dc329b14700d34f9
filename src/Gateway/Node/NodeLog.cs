using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Node;

internal static partial class NodeLog
{
    [LoggerMessage(EventId = 2601, Level = LogLevel.Information, Message = "Connected to the VPS {Endpoint} (version {Version})")]
    internal static partial void Connected(this ILogger log, string endpoint, string version);

    [LoggerMessage(EventId = 2602, Level = LogLevel.Warning, Message = "No connection to the VPS {Endpoint}: {Reason}")]
    internal static partial void Unreachable(this ILogger log, string endpoint, string reason);

    [LoggerMessage(EventId = 2603, Level = LogLevel.Error, Message = "The pairing cannot be read: {Reason}")]
    internal static partial void PairingUnreadable(this ILogger log, string reason);

    [LoggerMessage(EventId = 2604, Level = LogLevel.Error, Message = "The control session failed in a way that is not expected; it is tried again")]
    internal static partial void SessionFault(this ILogger log, Exception exception);
}
