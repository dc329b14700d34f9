using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Portals;

/// <summary>Event ids 2330 to 2349 (Links').</summary>
internal static partial class PortalsLog
{
    [LoggerMessage(EventId = 2330, Level = LogLevel.Warning, Message = "{Link}: a captive portal answers ({What})")]
    internal static partial void PortalMet(this ILogger logger, string link, string what);

    [LoggerMessage(EventId = 2331, Level = LogLevel.Information, Message = "{Link}: no captive portal any more")]
    internal static partial void PortalGone(this ILogger logger, string link);

    [LoggerMessage(EventId = 2332, Level = LogLevel.Information, Message = "{Link}: login at the portal: {Outcome}")]
    internal static partial void LoginDone(this ILogger logger, string link, string outcome);

    [LoggerMessage(EventId = 2333, Level = LogLevel.Error, Message = "{Link}: the watch for portals met an error; it goes on")]
    internal static partial void WatchFault(this ILogger logger, Exception exception, string link);
}
