using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Api;

internal static partial class ApiLog
{
    [LoggerMessage(EventId = 2701, Level = LogLevel.Information, Message = "Ending, by request")]
    internal static partial void ShutdownAsked(this ILogger log);

    [LoggerMessage(EventId = 2850, Level = LogLevel.Information, Message = "Doctor: {Failed} checks failed, {Warnings} have a warning")]
    internal static partial void DoctorDone(this ILogger log, int failed, int warnings);
}
