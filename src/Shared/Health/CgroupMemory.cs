namespace Aggregator.Health;

/// <summary>
/// The memory limit that this process is under, of both versions of cgroups (Documentation/admin-guide/cgroup-v1/memory.rst, cgroup-v2.rst).
/// A limit holds for all groups below it, so the lowest on the way up counts.
/// </summary>
/// <param name="LimitBytes">The lowest limit.</param>
/// <param name="AvailableBytes">
/// What can be taken before one of the limits is met; file pages that nobody used lately do not count as used. Null: the groups do not tell.
/// </param>
internal readonly record struct CgroupMemory(long LimitBytes, long? AvailableBytes)
{
    /// <summary>"No limit" in version 1 is the largest multiple of a page in a long; nothing near it is a limit.</summary>
    private const long Unlimited = long.MaxValue / 2;

    internal static CgroupMemory? Read(HostFiles files)
    {
        CgroupMemory? lowest = null;
        foreach (var group in files.CgroupPlaces("memory", () => Find(files)))
        {
            if (ReadOne(files, group.Directory, group.IsSecond) is { } one)
            {
                lowest = lowest is { } before ? Lower(before, one) : one;
            }
        }

        return lowest;
    }

    /// <summary>A group of version 2 without the controller (a hybrid host's) has no such file, nor has its root.</summary>
    private static IReadOnlyList<CgroupPlace> Find(HostFiles files) => CgroupTree.Find(files, "memory", place => place.IsSecond
        ? files.Read(place.Directory + "/memory.max") is not null || files.Read(place.Directory + "/memory.high") is not null
        : files.Read(place.Directory + "/memory.limit_in_bytes") is not null);

    private static CgroupMemory? ReadOne(HostFiles files, string directory, bool second)
    {
        string? stat;
        long? limit, used, droppable;
        if (second)
        {
            long? max = ProcText.OnlyNumber(files.Read(directory + "/memory.max"));
            long? high = ProcText.OnlyNumber(files.Read(directory + "/memory.high"));
            // "max" is no number and so null: no limit.
            limit = max is null ? high : high is null ? max : Math.Min(max.Value, high.Value);
            if (limit is null)
            {
                return null;
            }

            used = ProcText.OnlyNumber(files.Read(directory + "/memory.current"));
            stat = files.Read(directory + "/memory.stat");
            droppable = ProcText.Value(stat, "inactive_file");
        }
        else
        {
            limit = ProcText.OnlyNumber(files.Read(directory + "/memory.limit_in_bytes"));
            if (limit is null or >= Unlimited)
            {
                return null;
            }

            used = ProcText.OnlyNumber(files.Read(directory + "/memory.usage_in_bytes"));
            stat = files.Read(directory + "/memory.stat");
            droppable = ProcText.Value(stat, "total_inactive_file");
        }

        long? available = used is { } bytes
            ? Math.Clamp(limit.Value - Math.Max(0, bytes - Math.Min(bytes, droppable ?? 0)), 0, limit.Value)
            : null;
        return new CgroupMemory(limit.Value, available);
    }

    private static CgroupMemory Lower(CgroupMemory a, CgroupMemory b) => new(
        Math.Min(a.LimitBytes, b.LimitBytes),
        a.AvailableBytes is { } x && b.AvailableBytes is { } y ? Math.Min(x, y) : a.AvailableBytes ?? b.AvailableBytes);
}
