using Microsoft.Extensions.Logging;

namespace Aggregator.Health;

/// <summary>Event ids 1700 to 1799.</summary>
internal static partial class HealthLog
{
    [LoggerMessage(EventId = 1701, Level = LogLevel.Warning, Message = "Memory is short ({AvailableMegabytes} of {TotalMegabytes} MB available): buffers are made smaller")]
    internal static partial void MemoryShort(this ILogger logger, long availableMegabytes, long totalMegabytes);

    [LoggerMessage(EventId = 1702, Level = LogLevel.Error, Message = "Memory is nearly gone ({AvailableMegabytes} of {TotalMegabytes} MB available): new flows are refused")]
    internal static partial void MemoryCritical(this ILogger logger, long availableMegabytes, long totalMegabytes);

    [LoggerMessage(EventId = 1703, Level = LogLevel.Information, Message = "Memory suffices again ({AvailableMegabytes} of {TotalMegabytes} MB available)")]
    internal static partial void MemoryAmple(this ILogger logger, long availableMegabytes, long totalMegabytes);

    [LoggerMessage(EventId = 1704, Level = LogLevel.Information, Message = "The heap is held to {HeapMegabytes} MB: this process may have {TotalMegabytes} MB in all")]
    internal static partial void HeapLimited(this ILogger logger, long heapMegabytes, long totalMegabytes);
}
