using Microsoft.Extensions.Logging;

namespace Aggregator.Vps.Apply;

/// <summary>Event ids 3400 to 3499.</summary>
internal static partial class ApplyLog
{
    [LoggerMessage(EventId = 3401, Level = LogLevel.Warning, Message = "A setting of the host is not as it should be: {Problem}")]
    internal static partial void SettingFailed(this ILogger logger, string problem);
}
