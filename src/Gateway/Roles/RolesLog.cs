using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Roles;

/// <summary>Event ids 2940 to 2959.</summary>
internal static partial class RolesLog
{
    [LoggerMessage(EventId = 2940, Level = LogLevel.Warning, Message = "What was remembered cannot be read and is begun anew: {Problem}")]
    internal static partial void MemoryUnreadable(this ILogger logger, string problem);

    [LoggerMessage(EventId = 2941, Level = LogLevel.Warning, Message = "What has to be remembered cannot be written: {Problem}")]
    internal static partial void MemoryNotWritten(this ILogger logger, string problem);

    [LoggerMessage(EventId = 2942, Level = LogLevel.Error, Message = "The keeper of roles met an error; it goes on")]
    internal static partial void KeeperFault(this ILogger logger, Exception exception);

    [LoggerMessage(EventId = 2943, Level = LogLevel.Information, Message = "{Link}: {Settings}")]
    internal static partial void SettingsChanged(this ILogger logger, string link, string settings);
}
