using Microsoft.Extensions.Logging;

namespace Aggregator.Vps.Health;

/// <summary>Event ids 3700 to 3799.</summary>
internal static partial class HealthLog
{
    [LoggerMessage(EventId = 3701, Level = LogLevel.Information, Message = "Health is ok (was {Before})")]
    internal static partial void Recovered(this ILogger logger, string before);

    [LoggerMessage(EventId = 3702, Level = LogLevel.Warning, Message = "Health is warn (was {Before}): {Findings}")]
    internal static partial void Warned(this ILogger logger, string before, string findings);

    [LoggerMessage(EventId = 3703, Level = LogLevel.Error, Message = "Health is critical (was {Before}): {Findings}")]
    internal static partial void Critical(this ILogger logger, string before, string findings);

    [LoggerMessage(EventId = 3704, Level = LogLevel.Error, Message = "The host's health could not be read; it is tried again")]
    internal static partial void LookFailed(this ILogger logger, Exception exception);
}
