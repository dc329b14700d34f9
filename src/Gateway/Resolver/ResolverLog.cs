using System.Net;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Resolver;

/// <summary>Event ids 2950 to 2959.</summary>
internal static partial class ResolverLog
{
    [LoggerMessage(EventId = 2950, Level = LogLevel.Information, Message = "dns listens on {EndPoint}")]
    internal static partial void DnsListening(this ILogger logger, IPEndPoint endPoint);

    [LoggerMessage(EventId = 2951, Level = LogLevel.Warning, Message = "Names are not answered: {Problem}")]
    internal static partial void NamesFail(this ILogger logger, string problem);

    [LoggerMessage(EventId = 2952, Level = LogLevel.Error, Message = "A question for a name met an error of our own")]
    internal static partial void ResolverFault(this ILogger logger, Exception exception);
}
