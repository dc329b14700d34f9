using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Aggregator.Health;

/// <summary>
/// Watches what memory is left for this process and tells those who hold buffers how much they may take, before the kernel must reclaim,
/// swap or kill. While it is short, what the heaps keep in reserve is returned.
/// </summary>
/// <param name="followers">Called with each new decision, one at a time; they return at once.</param>
internal sealed class MemoryGuard(
    HostFiles files, TimeProvider time, ILogger<MemoryGuard> logger, params IReadOnlyList<Action<MemoryDecision>> followers) : BackgroundService
{
    /// <summary>
    /// The relay's buffers cannot grow faster than their budget lets them; what can (connections) takes tens of milliseconds for each megabyte.
    /// All that is looked at in a second, the health report included, costs about 1 % of a processor.
    /// </summary>
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500);

    /// <summary>While memory is short: in half a second a burst of connections takes half of what is left between short and critical.</summary>
    private static readonly TimeSpan ShortInterval = TimeSpan.FromMilliseconds(125);

    /// <summary>A full collection of a small heap takes tens of milliseconds; it is not to be had all the time.</summary>
    private static readonly TimeSpan BetweenReturns = TimeSpan.FromSeconds(15);

    /// <summary>
    /// While flows are refused, which costs users more than the collections do: what ended flows left is the heap's until it is returned,
    /// and new ones were refused for 15 s after all others had gone.
    /// </summary>
    private static readonly TimeSpan BetweenCriticalReturns = TimeSpan.FromSeconds(2);

    private readonly MemoryPolicy _policy = new();
    private long? _returnedAt;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Task.Yield();
        long last = time.GetTimestamp();
        try
        {
            while (true)
            {
                await Task.Delay(_policy.Last.State == MemoryState.Ample ? Interval : ShortInterval, time, stoppingToken);
                long now = time.GetTimestamp();
                Look(time.GetElapsedTime(last, now));
                last = now;
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The daemon ends.
        }
    }

    private void Look(TimeSpan elapsed)
    {
        var memory = MemoryFigures.Read(files);
        var pressure = PressureFigures.Parse(files.Read("/proc/pressure/memory"));
        var before = _policy.Last;
        var now = _policy.Next(memory, pressure.SomeAvg10, elapsed);
        if (now != before)
        {
            foreach (var follower in followers)
            {
                follower(now);
            }
        }

        if (now.State != before.State)
        {
            Log(now, memory);
        }

        // Also while it stays short: what closed connections gave back is ours until it is returned, and would keep us refusing for good.
        var between = now.State == MemoryState.Critical ? BetweenCriticalReturns : BetweenReturns;
        if (now.State != MemoryState.Ample && (_returnedAt is not { } at || time.GetElapsedTime(at) >= between))
        {
            _returnedAt = time.GetTimestamp();
            ProcessMemory.ReturnUnused();
        }
    }

    private void Log(MemoryDecision now, MemoryFigures memory)
    {
        long available = (memory.AvailableBytes ?? 0) / 1_000_000, total = (memory.TotalBytes ?? 0) / 1_000_000;
        switch (now.State)
        {
            case MemoryState.Critical:
                logger.MemoryCritical(available, total);
                break;
            case MemoryState.Short:
                logger.MemoryShort(available, total);
                break;
            default:
                logger.MemoryAmple(available, total);
                break;
        }
    }
}
