using System.Collections.Immutable;

namespace Aggregator.Health;

/// <summary>An interface between two looks.</summary>
/// <param name="DropRatio">Of the packets that came or were to go; null where there were none.</param>
internal readonly record struct NicRate(string Name, double DroppedPerSecond, double? DropRatio);

/// <summary>What counters did between two looks. Null: not known, among others when a counter went back (a host that was moved or restored).</summary>
internal sealed record HealthRates
{
    /// <summary>Of one look alone, before there is a second.</summary>
    internal static HealthRates None { get; } = new();

    internal double? SwapInPagesPerSecond { get; init; }

    internal double? SwapOutPagesPerSecond { get; init; }

    /// <summary>0 to 1 of all processor time.</summary>
    internal double? StealRatio { get; init; }

    /// <summary>0 to 1: of the periods of the process' quota those in which it had used it up.</summary>
    internal double? ThrottledRatio { get; init; }

    /// <summary>Interfaces that were there at both looks.</summary>
    internal ImmutableArray<NicRate> Nics { get; init; } = [];

    internal static HealthRates Between(HealthSample earlier, HealthSample later, TimeProvider time)
    {
        double seconds = time.GetElapsedTime(earlier.Timestamp, later.Timestamp).TotalSeconds;
        if (seconds <= 0)
        {
            return None;
        }

        return new HealthRates
        {
            SwapInPagesPerSecond = Grown(earlier.Swap.PagesIn, later.Swap.PagesIn) / seconds,
            SwapOutPagesPerSecond = Grown(earlier.Swap.PagesOut, later.Swap.PagesOut) / seconds,
            StealRatio = Grown(earlier.Cpu.TotalTicks, later.Cpu.TotalTicks) is > 0 and var ticks
                ? Math.Min(1, Grown(earlier.Cpu.StealTicks, later.Cpu.StealTicks) / ticks ?? double.NaN) is var ratio && double.IsFinite(ratio) ? ratio : null
                : null,
            ThrottledRatio = earlier.CpuQuota is { } quotaBefore && later.CpuQuota is { } quota ? CgroupCpu.Throttled(quotaBefore, quota) : null,
            Nics = [.. later.Nics.Join(earlier.Nics, l => l.Name, e => e.Name, (l, e) => NicBetween(e, l, seconds)).OfType<NicRate>()],
        };
    }

    private static NicRate? NicBetween(NicCounters earlier, NicCounters later, double seconds)
    {
        if (Grown(earlier.Dropped, later.Dropped) is not { } dropped || Grown(earlier.Packets, later.Packets) is not { } packets)
        {
            return null;
        }

        return new NicRate(later.Name, dropped / seconds, dropped + packets > 0 ? dropped / (dropped + packets) : null);
    }

    private static double? Grown(long? earlier, long? later) => later >= earlier ? (double)later.Value - earlier!.Value : null;
}
