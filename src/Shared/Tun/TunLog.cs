using Microsoft.Extensions.Logging;

namespace Aggregator.Tun;

/// <summary>Event ids 1900 to 1949.</summary>
internal static partial class TunLog
{
    [LoggerMessage(EventId = 1901, Level = LogLevel.Error, Message = "The interface {Name} can be read no more (errno {Errno}); packets are not carried until a restart")]
    internal static partial void TunFailed(this ILogger logger, string name, int errno);

    [LoggerMessage(EventId = 1902, Level = LogLevel.Error, Message = "The packets of {Name} met an error of our own")]
    internal static partial void TunFault(this ILogger logger, Exception exception, string name);
}
