using System.Collections.Immutable;
using System.Globalization;

namespace Aggregator.Health;

/// <summary>What a picture of the host means: a pure function, worst first. What is not known is no finding.</summary>
internal static class HealthFindings
{
    /// <summary>
    /// Below this, buffers for several fast links push a usual system into its swap. In units of 10^6: a server that is sold with "1 GB" has
    /// about 1000 MiB left after the kernel's own.
    /// </summary>
    internal const long SmallMemoryBytes = 1024 * 1000 * 1000L;

    /// <summary>Where the kernel begins to reclaim hard, and where it is about to kill.</summary>
    private const double ShortAvailable = 0.10, CriticalAvailable = 0.04;

    /// <summary>A stray page is no news; a thousand pages a second are 4 MB/s from a disk in the way of every packet.</summary>
    private const double SwappingPages = 1, CriticalSwappingPages = 1000;

    /// <summary>Servers need no more, and the kernel's default of 60 swaps a daemon out in favour of file pages.</summary>
    private const long MostSwappiness = 10;

    /// <summary>Percent of ten seconds in which tasks waited for memory.</summary>
    private const double MemoryPressure = 5, CriticalMemoryPressure = 30;

    private const double CpuPressure = 50;

    /// <summary>From here TCP is about to shrink all windows; at the mark itself it does.</summary>
    private const double NearTcpPressure = 0.8;

    private const double NearLimit = 0.8, AtLimit = 0.95;

    private const double HighLoadPerCpu = 2;

    private const double HighSteal = 0.10;

    /// <summary>In every fourth period: packets wait for tens of milliseconds then.</summary>
    private const double OftenThrottled = 0.25;

    /// <summary>A drop in a thousand packets halves what one TCP stream reaches over 100 ms.</summary>
    private const double DropsPerSecond = 1, DropRatio = 0.001;

    /// <summary>
    /// A finding that was there goes below this part of its mark only. A load of 4 on two processors that swings by a tenth was told, and logged, every
    /// few seconds.
    /// </summary>
    private const double Stay = 0.8;

    /// <summary>What NTP holds is a thousand times less; logs of both sides cannot be compared beyond it.</summary>
    private static readonly TimeSpan MostSkew = TimeSpan.FromSeconds(1);

    internal static HealthLevel Level(IEnumerable<Finding> findings) => findings.Select(f => f.Level).DefaultIfEmpty(HealthLevel.Ok).Max();

    /// <summary>Findings by code, for the next look's <see cref="HealthPicture.Before"/>.</summary>
    internal static IReadOnlyDictionary<string, HealthLevel> ByCode(IEnumerable<Finding> findings) =>
        findings.GroupBy(f => f.Code).ToImmutableDictionary(g => g.Key, g => g.Max(f => f.Level));

    internal static IReadOnlyList<Finding> Of(HealthPicture picture) =>
        [.. All(picture).OfType<Finding>().OrderByDescending(f => f.Level)];

    private static IEnumerable<Finding?> All(HealthPicture picture)
    {
        var (sample, rates) = (picture.Sample, picture.Rates);
        yield return Small(picture);
        yield return TooLittleForLinks(picture);
        yield return Available(picture);
        yield return Pressure(picture);
        yield return Swapping(picture);
        yield return Swappiness(sample);
        yield return TcpMemory(picture);
        yield return Limit(picture, "conntrack", "tracked connections of the firewall", sample.Conntrack,
            "raise net.netfilter.nf_conntrack_max (`aggregator-vps tune`), or take the aggregator's port out of connection tracking");
        yield return Limit(picture, "descriptors", "file descriptors of the daemon", sample.Process?.Descriptors ?? default,
            "raise LimitNOFILE in its systemd unit, or `ulimit -n` where it is started");
        yield return Limit(picture, "files", "open files of the whole host", sample.Files, "raise fs.file-max, or find the program that keeps them open");
        yield return Load(picture);
        yield return Steal(picture);
        yield return Throttled(picture);
        foreach (var nic in rates.Nics)
        {
            yield return Drops(picture, nic);
        }

        yield return Mptcp(sample);
        yield return Bbr(sample);
        foreach (var clock in picture.Clocks)
        {
            yield return Clock(clock);
        }
    }

    private static Finding? Small(HealthPicture picture)
    {
        if (picture.Sample.Memory.TotalBytes is not { } total || total >= SmallMemoryBytes)
        {
            return null;
        }

        string where = picture.Sample.Memory.LimitBytes is null ? "this host has" : "the memory cgroup of this process allows";
        string need = picture.Need is { } n
            ? $"; the present links and flows need about {Megabytes(n.TotalBytes)} ({Megabytes(n.BufferBytes)} of buffers for rate × delay, {Megabytes(n.FlowBytes)} for flows, {Megabytes(n.OtherBytes)} for the rest of the system)"
            : "; what the links need is not known while no gateway is connected";
        return new Finding("memory-small", HealthLevel.Warn, $"{where} {Megabytes(total)} of memory, less than 1024 MB{need}",
            "take a server with 1024 MB or more; `aggregator-vps tune --apply` fits the buffers to what there is");
    }

    private static Finding? TooLittleForLinks(HealthPicture picture) =>
        picture.Need is { } need && picture.Sample.Memory.TotalBytes is { } total && need.TotalBytes > total
            ? new Finding("memory-need", HealthLevel.Warn,
                $"the present links and flows need about {Megabytes(need.TotalBytes)} of memory at the rates measured lately ({Megabytes(need.BufferBytes)} of buffers), and there are {Megabytes(total)}",
                "more memory, or fewer links with long delays; until then rates stay lower than the links")
            : null;

    /// <summary>The mark of a level, lower where the last look found it.</summary>
    private static double Mark(HealthPicture picture, string code, double mark, HealthLevel level = HealthLevel.Warn) =>
        picture.Before.TryGetValue(code, out HealthLevel before) && before >= level ? Stay * mark : mark;

    private static HealthLevel Severity(HealthPicture picture, string code, double value, double criticalMark) =>
        value >= Mark(picture, code, criticalMark, HealthLevel.Critical) ? HealthLevel.Critical : HealthLevel.Warn;

    private static Finding? Available(HealthPicture picture)
    {
        if (picture.Sample.Memory is not { TotalBytes: > 0 and var total, AvailableBytes: { } available })
        {
            return null;
        }

        // The less the worse: its reciprocal has marks like the others.
        double missing = (double)total / available;
        return missing <= Mark(picture, "memory-short", 1 / ShortAvailable)
            ? null
            : new Finding("memory-short", Severity(picture, "memory-short", missing, 1 / CriticalAvailable),
            $"{Megabytes(available)} of {Megabytes(total)} of memory are available",
            "end what takes it (`ps aux --sort -rss | head`), or add memory; until then buffers are kept small and new flows may be refused");
    }

    private static Finding? Pressure(HealthPicture picture) => picture.Sample.MemoryPressure.SomeAvg10 is { } some && some >= Mark(picture, "memory-pressure", MemoryPressure)
        ? new Finding("memory-pressure", Severity(picture, "memory-pressure", some, CriticalMemoryPressure),
            Text($"programs waited for memory in {some:0.#} % of the last 10 s"),
            "free or add memory: waiting for it delays every packet")
        : null;

    private static Finding? Swapping(HealthPicture picture)
    {
        HealthRates rates = picture.Rates;
        double most = Math.Max(rates.SwapInPagesPerSecond ?? 0, rates.SwapOutPagesPerSecond ?? 0);
        return most >= Mark(picture, "swapping", SwappingPages)
            ? new Finding("swapping", Severity(picture, "swapping", most, CriticalSwappingPages),
                Text($"the host is swapping: {rates.SwapInPagesPerSecond ?? 0:0} pages/s in, {rates.SwapOutPagesPerSecond ?? 0:0} pages/s out"),
                "free or add memory, and lower vm.swappiness (`aggregator-vps tune`): packets wait for the disk")
            : null;
    }

    private static Finding? Swappiness(HealthSample sample) =>
        sample.Swap.TotalBytes > 0 && sample.Swappiness is { } swappiness && swappiness > MostSwappiness
            ? new Finding("swappiness", HealthLevel.Warn,
                Text($"vm.swappiness is {swappiness} on a server with {Megabytes(sample.Swap.TotalBytes.Value)} of swap: the daemon's memory is swapped out early"),
                $"set it to {MostSwappiness} or lower; `aggregator-vps tune --apply` does, and keeps it over a restart")
            : null;

    private static Finding? TcpMemory(HealthPicture picture)
    {
        if (picture.Sample.TcpMemory is not { UsedPages: { } used, PressurePages: > 0 and var mark }
            || used < Mark(picture, "tcp-memory", NearTcpPressure) * mark)
        {
            return null;
        }

        return new Finding("tcp-memory", Severity(picture, "tcp-memory", used, mark),
            Text($"TCP holds {used} pages, and from {mark} on (tcp_mem) the kernel cuts every connection's window"),
            "`aggregator-vps tune` shows a tcp_mem that fits this host's memory; otherwise add memory");
    }

    private static Finding? Limit(HealthPicture picture, string code, string what, UsageFigures usage, string remedy) =>
        usage.Ratio is { } ratio && ratio >= Mark(picture, code, NearLimit)
        ? new Finding(code, Severity(picture, code, ratio, AtLimit), Text($"{usage.Used} of at most {usage.Max} {what} are in use"), remedy)
        : null;

    private static Finding? Load(HealthPicture picture)
    {
        HealthSample sample = picture.Sample;
        bool load = sample is { Load1: { } one, Cpu.Cpus: > 0 and var cpus } && one >= Mark(picture, "load", HighLoadPerCpu) * cpus;
        return load || sample.CpuPressure.SomeAvg10 >= Mark(picture, "load", CpuPressure)
            ? new Finding("load", HealthLevel.Warn,
                Text($"the load is {sample.Load1?.ToString("0.0", CultureInfo.InvariantCulture) ?? "not known"} on {sample.Cpu.Cpus?.ToString(CultureInfo.InvariantCulture) ?? "an unknown number of"} processors")
                    + (sample.CpuPressure.SomeAvg10 is { } waited ? Text($"; programs waited for one in {waited:0.#} % of the last 10 s") : ""),
                "find out what takes the processors (`top`); for more rate than they can encrypt, a server with more or faster ones")
            : null;
    }

    private static Finding? Steal(HealthPicture picture) => picture.Rates.StealRatio is { } steal && steal >= Mark(picture, "steal", HighSteal)
        ? new Finding("steal", HealthLevel.Warn, Text($"{steal * 100:0} % of this virtual machine's processor time went to others on the same hardware"),
            "ask the provider, or take a plan with dedicated processors")
        : null;

    private static Finding? Throttled(HealthPicture picture) =>
        picture.Sample.CpuQuota is { } quota && picture.Rates.ThrottledRatio is { } throttled && throttled >= Mark(picture, "cpu-quota", OftenThrottled)
        ? new Finding("cpu-quota", HealthLevel.Warn,
            Text($"the daemon's cgroup may use {quota.LimitCpus:0.##} of {picture.Sample.Cpu.Cpus?.ToString(CultureInfo.InvariantCulture) ?? "an unknown number of"} processors, and had used that up in {throttled * 100:0} % of the last periods"),
            "raise the quota (CPUQuota= of the systemd unit, --cpus of the container): packets wait for the next period")
        : null;

    private static Finding? Drops(HealthPicture picture, NicRate nic) =>
        nic.DroppedPerSecond >= Mark(picture, "nic-drops", DropsPerSecond) && nic.DropRatio >= Mark(picture, "nic-drops", DropRatio)
        ? new Finding("nic-drops", HealthLevel.Warn,
            Text($"{nic.Name} drops {nic.DroppedPerSecond:0} packets/s, {nic.DropRatio * 100:0.##} % of its traffic"),
            "raise net.core.netdev_max_backlog (`aggregator-vps tune`) and the interface's rings (`ethtool -G`); TCP takes drops for a full line")
        : null;

    private static Finding? Mptcp(HealthSample sample) => sample.MptcpEnabled == false
        ? new Finding("mptcp-off", HealthLevel.Critical, "MPTCP is off on this host: gateways get one line each",
            "`sysctl -w net.mptcp.enabled=1` and restart the daemon; a kernel without it must be replaced (6.1 or later)")
        : null;

    private static Finding? Bbr(HealthSample sample) => sample.HasBbr == false
        ? new Finding("bbr-missing", HealthLevel.Warn,
            $"BBR is not available: {sample.CongestionControl ?? "the default congestion control"} loses rate on links that lose packets",
            "`modprobe tcp_bbr` (and `echo tcp_bbr > /etc/modules-load.d/bbr.conf`), then restart the daemon")
        : null;

    private static Finding? Clock(ClockSkew clock)
    {
        var off = clock.Ahead.Duration();
        return off - clock.Uncertainty >= MostSkew
            ? new Finding("clock-skew", HealthLevel.Warn,
                Text($"this host's clock is {off.TotalSeconds:0.0} s {(clock.Ahead > TimeSpan.Zero ? "ahead of" : "behind")} that of {clock.Peer}"),
                "set both by NTP (`timedatectl set-ntp true`)")
            : null;
    }

    private static string Megabytes(long bytes) => Text($"{bytes / 1e6:0} MB");

    private static string Text(FormattableString text) => FormattableString.Invariant(text);
}
