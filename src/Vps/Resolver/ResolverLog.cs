using Microsoft.Extensions.Logging;

namespace Aggregator.Vps.Resolver;

/// <summary>Event ids 3950 to 3969.</summary>
internal static partial class ResolverLog
{
    [LoggerMessage(EventId = 3950, Level = LogLevel.Error, Message = "A gateway's question for a name met an error of our own")]
    internal static partial void NameFault(this ILogger logger, Exception exception);
}
