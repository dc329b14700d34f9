using System.Collections.Immutable;
using Aggregator.Host;

namespace Aggregator.Health;

/// <summary>One look at the host: values and counters, no judgement. What is not known is null.</summary>
internal sealed record HealthSample
{
    /// <summary>When, on the monotonic clock: rates must not follow a clock that is set.</summary>
    internal required long Timestamp { get; init; }

    internal MemoryFigures Memory { get; init; }

    internal SwapFigures Swap { get; init; }

    internal long? Swappiness { get; init; }

    internal PressureFigures MemoryPressure { get; init; }

    internal PressureFigures CpuPressure { get; init; }

    internal TcpMemoryFigures TcpMemory { get; init; }

    /// <summary>0 of 0 does not happen: where connections are not tracked there is no such file.</summary>
    internal UsageFigures Conntrack { get; init; }

    /// <summary>Of the whole host.</summary>
    internal UsageFigures Files { get; init; }

    /// <summary>Null where it is not the daemon that looks.</summary>
    internal ProcessFigures? Process { get; init; }

    internal double? Load1 { get; init; }

    internal CpuFigures Cpu { get; init; }

    /// <summary>Null: nothing but the host's processors limits this process.</summary>
    internal CgroupCpu? CpuQuota { get; init; }

    internal ImmutableArray<NicCounters> Nics { get; init; } = [];

    internal string? Kernel { get; init; }

    /// <summary>False also where the kernel has no MPTCP; null where /proc/sys/net cannot be seen.</summary>
    internal bool? MptcpEnabled { get; init; }

    /// <summary>net.ipv4.tcp_available_congestion_control has bbr.</summary>
    internal bool? HasBbr { get; init; }

    internal string? CongestionControl { get; init; }

    /// <param name="withProcess">Whether the calling process is the daemon whose use is of interest.</param>
    internal static HealthSample Read(HostFiles files, TimeProvider time, bool withProcess)
    {
        string? meminfo = files.Read("/proc/meminfo");
        string? available = Setting(files, "net.ipv4.tcp_available_congestion_control");
        return new HealthSample
        {
            Timestamp = time.GetTimestamp(),
            Memory = MemoryFigures.Combine(meminfo, CgroupMemory.Read(files)),
            Swap = SwapFigures.Parse(meminfo, files.Read("/proc/vmstat")),
            Swappiness = ProcText.OnlyNumber(Setting(files, "vm.swappiness")),
            MemoryPressure = PressureFigures.Parse(files.Read("/proc/pressure/memory")),
            CpuPressure = PressureFigures.Parse(files.Read("/proc/pressure/cpu")),
            TcpMemory = TcpMemoryFigures.Parse(files.Read("/proc/net/sockstat"), Setting(files, "net.ipv4.tcp_mem")),
            Conntrack = new UsageFigures(
                ProcText.OnlyNumber(Setting(files, "net.netfilter.nf_conntrack_count")),
                ProcText.OnlyNumber(Setting(files, "net.netfilter.nf_conntrack_max"))),
            Files = UsageFigures.ParseFileNr(Setting(files, "fs.file-nr")),
            Process = withProcess ? ProcessFigures.Read(files) : null,
            Load1 = ProcText.Fraction(ProcText.Field(ProcText.FirstLine(files.Read("/proc/loadavg")), 0)),
            Cpu = CpuFigures.Parse(files.Read("/proc/stat")),
            CpuQuota = CgroupCpu.Read(files),
            Nics = NicCounters.Parse(files.Read("/proc/net/dev")),
            Kernel = files.Read("/proc/sys/kernel/osrelease")?.Trim() is { Length: > 0 } release ? release : null,
            MptcpEnabled = ReadMptcp(files),
            HasBbr = available?.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Contains("bbr"),
            CongestionControl = Setting(files, "net.ipv4.tcp_congestion_control")?.Trim() is { Length: > 0 } name ? name : null,
        };
    }

    private static bool? ReadMptcp(HostFiles files) => Setting(files, "net.mptcp.enabled")?.Trim() switch
    {
        "1" => true,
        "0" => false,
        // Without the directory the kernel has no MPTCP, provided that its neighbours can be seen.
        null when files.DirectoryExists("/proc/sys/net/ipv4") && !files.DirectoryExists("/proc/sys/net/mptcp") => false,
        _ => null,
    };

    private static string? Setting(HostFiles files, string name) => files.Read("/proc/sys/" + SysctlName.Of(name).Path);
}
