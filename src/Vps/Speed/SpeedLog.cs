using Microsoft.Extensions.Logging;

namespace Aggregator.Vps.Speed;

/// <summary>Event ids 3800 to 3899.</summary>
internal static partial class SpeedLog
{
    [LoggerMessage(EventId = 3801, Level = LogLevel.Information, Message = "{Name}: a speed test begins")]
    internal static partial void TestBegan(this ILogger logger, string name);

    [LoggerMessage(EventId = 3802, Level = LogLevel.Information, Message = "{Name}: the speed test has ended")]
    internal static partial void TestEnded(this ILogger logger, string name);

    [LoggerMessage(EventId = 3803, Level = LogLevel.Warning, Message = "A test connection broke the protocol: {Reason}")]
    internal static partial void ProtocolBroken(this ILogger logger, string reason);
}
