using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Speed;

/// <summary>Event ids 2800 to 2849.</summary>
internal static partial class SpeedLog
{
    [LoggerMessage(EventId = 2801, Level = LogLevel.Information, Message = "A speed test begins: {Links}")]
    internal static partial void TestBegan(this ILogger logger, string links);

    [LoggerMessage(EventId = 2802, Level = LogLevel.Information, Message = "The speed test has ended after {Seconds:0.0} s")]
    internal static partial void TestEnded(this ILogger logger, double seconds);
}
