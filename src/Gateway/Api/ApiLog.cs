using Aggregator.Gateway.Configuration;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Api;

internal static partial class ApiLog
{
    [LoggerMessage(EventId = 2701, Level = LogLevel.Information, Message = "Link {Link} is {Role} from now on, by request")]
    internal static partial void RoleSet(this ILogger log, string link, LinkRole role);

    [LoggerMessage(EventId = 2702, Level = LogLevel.Information, Message = "Ending, by request")]
    internal static partial void ShutdownAsked(this ILogger log);
}
