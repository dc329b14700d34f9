namespace Aggregator.Health;

/// <summary>
/// The processor time that this process may have, of both versions of cgroups (Documentation/scheduler/sched-bwc.rst, admin-guide/cgroup-v2.rst): a quota
/// for each period, and whoever has used it up waits for the next one. It holds for all groups below, so the lowest on the way up counts.
/// </summary>
/// <param name="LimitCpus">Processors' worth of time: 0.5 is half of one.</param>
/// <param name="UsageUs">What the group has used so far; null: it does not tell.</param>
/// <param name="Periods">Periods in which it wanted any; null: it does not tell.</param>
/// <param name="ThrottledPeriods">Those at whose end it waited.</param>
internal readonly record struct CgroupCpu(double LimitCpus, long? UsageUs, long? Periods, long? ThrottledPeriods)
{
    /// <summary>Null: no quota, or none that can be seen.</summary>
    internal static CgroupCpu? Read(HostFiles files)
    {
        CgroupCpu? lowest = null;
        foreach (var group in files.CgroupPlaces("cpu", () => Find(files)))
        {
            if (ReadOne(files, group) is { } one && !(lowest?.LimitCpus <= one.LimitCpus))
            {
                lowest = one;
            }
        }

        return lowest;
    }

    /// <summary>The part of the quota that was used between two looks; null: not known.</summary>
    internal static double? Busy(CgroupCpu before, CgroupCpu after, TimeSpan elapsed) =>
        elapsed > TimeSpan.Zero && after.UsageUs - before.UsageUs is >= 0 and var used
            ? Math.Min(1, used / (after.LimitCpus * elapsed.TotalMicroseconds))
            : null;

    /// <summary>The part of the periods at whose end the group waited; null: not known, or it wanted nothing.</summary>
    internal static double? Throttled(CgroupCpu before, CgroupCpu after) =>
        after.Periods - before.Periods is > 0 and var periods && after.ThrottledPeriods - before.ThrottledPeriods is >= 0 and var waited
            ? Math.Min(1, (double)waited / periods)
            : null;

    private static IReadOnlyList<CgroupPlace> Find(HostFiles files) => CgroupTree.Find(
        files, "cpu", place => files.Read(place.Directory + (place.IsSecond ? "/cpu.max" : "/cpu.cfs_quota_us")) is not null);

    private static CgroupCpu? ReadOne(HostFiles files, CgroupPlace group)
    {
        long? quota, period, usage;
        string? stat = files.Read(group.Directory + "/cpu.stat");
        if (group.IsSecond)
        {
            // `max 100000` where there is none: the word is no number.
            var line = ProcText.FirstLine(files.Read(group.Directory + "/cpu.max"));
            quota = ProcText.Number(ProcText.Field(line, 0));
            period = ProcText.Number(ProcText.Field(line, 1));
            usage = ProcText.Value(stat, "usage_usec");
        }
        else
        {
            // -1 where there is none.
            quota = ProcText.OnlyNumber(files.Read(group.Directory + "/cpu.cfs_quota_us"));
            period = ProcText.OnlyNumber(files.Read(group.Directory + "/cpu.cfs_period_us"));
            // Where both controllers are mounted together, as they mostly are; in nanoseconds.
            usage = ProcText.OnlyNumber(files.Read(group.Directory + "/cpuacct.usage")) / 1000;
        }

        return quota is > 0 && period is > 0
            ? new CgroupCpu((double)quota.Value / period.Value, usage, ProcText.Value(stat, "nr_periods"), ProcText.Value(stat, "nr_throttled"))
            : null;
    }
}
