using System.Globalization;
using System.Text;
using Aggregator.Protocol.V1;

namespace Aggregator.Vps.Cli;

/// <summary>A report as people read it. What is not known is a dash.</summary>
internal static class HealthTable
{
    private const string Unknown = "-";

    internal static string Draw(VpsHealth health)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"health: {health.Level}\n\n");
        Line(text, "memory", Memory(health.Memory));
        Line(text, "needed", health.Need is { } need
            ? $"{Bytes(need.TotalBytes)} for the present links and flows ({Bytes(need.BufferBytes)} of buffers, {Bytes(need.FlowBytes)} for flows, {Bytes(need.OtherBytes)} for the rest)"
            : Unknown);
        Line(text, "swap", Swap(health));
        Line(text, "waiting", $"for memory {Percent(health.Pressure.HasMemorySomeAvg10, health.Pressure.MemorySomeAvg10)}, for a processor {Percent(health.Pressure.HasCpuSomeAvg10, health.Pressure.CpuSomeAvg10)} of the last 10 s");
        Line(text, "load", $"{(health.HasLoad1 ? health.Load1.ToString("0.00", CultureInfo.InvariantCulture) : Unknown)} on {(health.HasCpus ? health.Cpus : Unknown)} processors, stolen {Percent(health.HasStealRatio, health.StealRatio * 100)}");
        Line(text, "TCP memory", $"{Count(health.TcpMemory.HasUsedPages, health.TcpMemory.UsedPages)} pages, pressure from {Count(health.TcpMemory.HasPressurePages, health.TcpMemory.PressurePages)}");
        Line(text, "conntrack", Usage(health.Conntrack));
        Line(text, "open files", Usage(health.Files));
        Line(text, "kernel", $"{(health.HasKernel ? health.Kernel : Unknown)}, MPTCP {OnOff(health.HasMptcpEnabled, health.MptcpEnabled, "on", "off")}, BBR {OnOff(health.HasBbrAvailable, health.BbrAvailable, "there", "missing")}, default {(health.HasCongestionControl ? health.CongestionControl : Unknown)}");
        Line(text, "daemon", health.Process is { } process
            ? $"{(process.HasRssBytes ? Bytes(process.RssBytes) : Unknown)} resident, {Count(process.HasThreads, process.Threads)} threads, {Count(process.HasSockets, process.Sockets)} sockets, descriptors {Usage(process.Descriptors)}"
            : "not asked (none is running)");
        foreach (var nic in health.Nics.Where(n => n.DroppedPerS > 0))
        {
            Line(text, nic.Name, string.Create(CultureInfo.InvariantCulture, $"drops {nic.DroppedPerS:0.#} packets/s"));
        }

        foreach (var clock in health.Clocks)
        {
            Line(text, "clock", string.Create(CultureInfo.InvariantCulture, $"{clock.AheadMs:+0.0;-0.0;0} ms against {clock.Gateway} (± {clock.UncertaintyMs:0.0})"));
        }

        foreach (var finding in health.Findings)
        {
            text.Append(CultureInfo.InvariantCulture, $"\n{finding.Level}: {finding.Text}\n  -> {finding.Remedy} ({finding.Code})\n");
        }

        return text.ToString();
    }

    private static void Line(StringBuilder text, string name, string value) =>
        text.Append(CultureInfo.InvariantCulture, $"{name,-11} {value}\n");

    private static string Memory(MemoryHealth memory)
    {
        string text = $"{(memory.HasAvailableBytes ? Bytes(memory.AvailableBytes) : Unknown)} available of {(memory.HasTotalBytes ? Bytes(memory.TotalBytes) : Unknown)}";
        return memory.HasLimitBytes ? $"{text} (memory cgroup; the host has {(memory.HasHostTotalBytes ? Bytes(memory.HostTotalBytes) : Unknown)})" : text;
    }

    private static string Swap(VpsHealth health)
    {
        var swap = health.Swap;
        if (swap.HasTotalBytes && swap.TotalBytes == 0)
        {
            return "none";
        }

        return $"{(swap.HasUsedBytes ? Bytes(swap.UsedBytes) : Unknown)} used of {(swap.HasTotalBytes ? Bytes(swap.TotalBytes) : Unknown)}, "
            + $"{Rate(swap.HasInPagesPerS, swap.InPagesPerS)} pages/s in, {Rate(swap.HasOutPagesPerS, swap.OutPagesPerS)} out, "
            + $"swappiness {Count(health.HasSwappiness, health.Swappiness)}";
    }

    private static string Usage(UsageHealth usage) => $"{Count(usage.HasUsed, usage.Used)} of {Count(usage.HasMax, usage.Max)}";

    private static string Count(bool known, ulong value) => known ? value.ToString(CultureInfo.InvariantCulture) : Unknown;

    private static string Rate(bool known, double value) => known ? value.ToString("0.#", CultureInfo.InvariantCulture) : Unknown;

    private static string Percent(bool known, double value) => known ? value.ToString("0.# '%'", CultureInfo.InvariantCulture) : Unknown;

    private static string OnOff(bool known, bool value, string on, string off) => known ? value ? on : off : Unknown;

    private static string Bytes(ulong bytes) => bytes >= 10_000_000_000
        ? (bytes / 1e9).ToString("0.0 'GB'", CultureInfo.InvariantCulture)
        : (bytes / 1e6).ToString("0 'MB'", CultureInfo.InvariantCulture);
}
