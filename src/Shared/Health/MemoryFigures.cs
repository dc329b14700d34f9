namespace Aggregator.Health;

/// <summary>
/// The memory that this process can have: the host's (/proc/meminfo), or that of its memory cgroup where its limit is lower.
/// </summary>
/// <param name="TotalBytes">Of both, the lower.</param>
/// <param name="AvailableBytes">What can still be taken without swapping, of both the lower.</param>
/// <param name="HostTotalBytes">The host's, whatever the cgroup says.</param>
/// <param name="LimitBytes">The cgroup's, where it is what counts; null where there is none below the host's memory.</param>
internal readonly record struct MemoryFigures(long? TotalBytes, long? AvailableBytes, long? HostTotalBytes, long? LimitBytes)
{
    internal static MemoryFigures Read(HostFiles files) => Combine(files.Read("/proc/meminfo"), CgroupMemory.Read(files));

    internal static MemoryFigures Combine(string? meminfo, CgroupMemory? cgroup)
    {
        long? total = ProcText.KibibytesAsBytes(meminfo, "MemTotal:") is > 0 and var t ? t : null;
        long? available = ProcText.KibibytesAsBytes(meminfo, "MemAvailable:");
        if (cgroup is { } limited && !(limited.LimitBytes >= total))
        {
            long? left = limited.AvailableBytes is { } free ? Math.Min(free, available ?? free) : null;
            return new MemoryFigures(limited.LimitBytes, left, total, limited.LimitBytes);
        }

        // Some containers' files tell more available than there is.
        return new MemoryFigures(total, available > total ? total : available, total, null);
    }
}

/// <summary>Swap as /proc/meminfo and /proc/vmstat tell it. <paramref name="PagesIn"/> and <paramref name="PagesOut"/> count since the boot.</summary>
internal readonly record struct SwapFigures(long? TotalBytes, long? UsedBytes, long? PagesIn, long? PagesOut)
{
    internal static SwapFigures Parse(string? meminfo, string? vmstat)
    {
        long? total = ProcText.KibibytesAsBytes(meminfo, "SwapTotal:");
        long? free = ProcText.KibibytesAsBytes(meminfo, "SwapFree:");
        return new SwapFigures(total, total >= free ? total - free : null, ProcText.Value(vmstat, "pswpin"), ProcText.Value(vmstat, "pswpout"));
    }
}
