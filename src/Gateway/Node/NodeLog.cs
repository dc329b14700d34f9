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

    [LoggerMessage(EventId = 2610, Level = LogLevel.Information, Message = "The VPS's health is ok (was {Before})")]
    internal static partial void VpsRecovered(this ILogger log, string before);

    [LoggerMessage(EventId = 2611, Level = LogLevel.Warning, Message = "The VPS's health is {Level} (was {Before}): {Findings}")]
    internal static partial void VpsWarned(this ILogger log, string level, string before, string findings);

    [LoggerMessage(EventId = 2612, Level = LogLevel.Error, Message = "The VPS's health is critical (was {Before}): {Findings}")]
    internal static partial void VpsCritical(this ILogger log, string before, string findings);

    [LoggerMessage(EventId = 2613, Level = LogLevel.Warning, Message = "The VPS is too old to report its health; update aggregator-vps")]
    internal static partial void VpsHealthMissing(this ILogger log);

    [LoggerMessage(EventId = 2614, Level = LogLevel.Information, Message = "The VPS's health reports broke off ({Reason}); asked for again")]
    internal static partial void VpsHealthBroke(this ILogger log, string reason);

    [LoggerMessage(EventId = 2615, Level = LogLevel.Error, Message = "The VPS's health can no longer be followed in this session")]
    internal static partial void VpsHealthFault(this ILogger log, Exception exception);

    [LoggerMessage(EventId = 2604, Level = LogLevel.Error, Message = "The control session failed in a way that is not expected; it is tried again")]
    internal static partial void SessionFault(this ILogger log, Exception exception);
}
