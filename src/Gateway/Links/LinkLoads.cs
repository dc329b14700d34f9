using System.Collections.Immutable;

namespace Aggregator.Gateway.Links;

/// <summary>
/// Links that are loaded on purpose at the moment (a speed test fills their queues), with the round trip that is to be expected there meanwhile. Probes
/// tell such a thing only when it is nearly over. Safe for many threads.
/// </summary>
internal sealed class LinkLoads
{
    private ImmutableDictionary<string, double> _expectedMs = ImmutableDictionary<string, double>.Empty;

    /// <summary>A load begins or has ended. Handlers return at once.</summary>
    internal event Action? Changed;

    /// <summary>Null: nobody loads it.</summary>
    internal double? ExpectedMs(string device) => Volatile.Read(ref _expectedMs).TryGetValue(device, out double ms) ? ms : null;

    /// <summary>What a small request may have to wait for while its line is loaded: above it another line is the better one.</summary>
    internal static double BearableMs(double idleMs) => (2 * idleMs) + 50;

    /// <param name="latestMs">The latest round trip over it; below what a load may come to at any moment it counts as that much.</param>
    internal void Set(string device, double idleMs, double latestMs)
    {
        bool begins = ExpectedMs(device) is null;
        double expected = Math.Max(BearableMs(idleMs), latestMs);
        ImmutableInterlocked.AddOrUpdate(ref _expectedMs, device, expected, (_, _) => expected);
        if (begins)
        {
            Changed?.Invoke();
        }
    }

    internal void End(string device)
    {
        if (ImmutableInterlocked.TryRemove(ref _expectedMs, device, out _))
        {
            Changed?.Invoke();
        }
    }
}
