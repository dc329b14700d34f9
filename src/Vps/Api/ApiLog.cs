using Microsoft.Extensions.Logging;

namespace Aggregator.Vps.Api;

/// <summary>Event ids 3500 to 3599.</summary>
internal static partial class ApiLog
{
    [LoggerMessage(EventId = 3501, Level = LogLevel.Information, Message = "Configuration {Path} taken over")]
    internal static partial void Reloaded(this ILogger logger, string path);

    [LoggerMessage(EventId = 3502, Level = LogLevel.Error, Message = "The configuration stays as it was: {Error}")]
    internal static partial void ReloadRefused(this ILogger logger, string error);

    [LoggerMessage(EventId = 3503, Level = LogLevel.Warning, Message = "A change of {Keys} needs a restart; the rest is in force")]
    internal static partial void NeedsRestart(this ILogger logger, string keys);

    [LoggerMessage(EventId = 3504, Level = LogLevel.Information, Message = "aggregator-vps {Version} started; pin {Pin}")]
    internal static partial void Started(this ILogger logger, string version, string pin);

    [LoggerMessage(EventId = 3505, Level = LogLevel.Information, Message = "Stopped; the host's settings are back")]
    internal static partial void Stopped(this ILogger logger);
}
