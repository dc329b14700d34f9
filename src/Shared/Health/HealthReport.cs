using Aggregator.Protocol.V1;

namespace Aggregator.Health;

/// <summary>A picture and its findings as the message that `health --json` prints and gateways are sent.</summary>
internal static class HealthReport
{
    internal static VpsHealth Of(HealthPicture picture)
    {
        var (sample, rates) = (picture.Sample, picture.Rates);
        var findings = HealthFindings.Of(picture);
        var report = new VpsHealth
        {
            Memory = Memory(sample.Memory),
            Swap = Swap(sample.Swap, rates),
            Pressure = Pressure(sample),
            TcpMemory = TcpMemory(sample.TcpMemory),
            Conntrack = Usage(sample.Conntrack),
            Files = Usage(sample.Files),
            Level = Name(HealthFindings.Level(findings)),
        };
        if (sample.Process is { } process)
        {
            report.Process = Process(process);
        }

        Set(sample.Swappiness, v => report.Swappiness = v);
        Set(sample.Load1, v => report.Load1 = v);
        Set(sample.Cpu.Cpus, v => report.Cpus = (uint)v);
        Set(sample.MptcpEnabled, v => report.MptcpEnabled = v);
        Set(sample.HasBbr, v => report.BbrAvailable = v);
        Set(rates.StealRatio, v => report.StealRatio = v);
        Set(sample.CpuQuota?.LimitCpus, v => report.CpuLimit = v);
        Set(rates.ThrottledRatio, v => report.CpuThrottledRatio = v);
        if (sample.Kernel is { } kernel)
        {
            report.Kernel = kernel;
        }

        if (sample.CongestionControl is { } control)
        {
            report.CongestionControl = control;
        }

        if (picture.Need is { } need)
        {
            report.Need = Need(need, picture);
        }

        report.Findings.AddRange(findings.Select(f => new HealthFinding { Code = f.Code, Level = Name(f.Level), Text = f.Text, Remedy = f.Remedy }));
        report.Nics.AddRange(rates.Nics.Select(Nic));
        report.Clocks.AddRange(picture.Clocks.Select(c => new ClockHealth
        {
            Gateway = c.Peer,
            AheadMs = c.Ahead.TotalMilliseconds,
            UncertaintyMs = c.Uncertainty.TotalMilliseconds,
        }));
        return report;
    }

    internal static string Name(HealthLevel level) => level.ToString().ToLowerInvariant();

    private static MemoryHealth Memory(MemoryFigures memory)
    {
        var message = new MemoryHealth();
        Set(memory.TotalBytes, v => message.TotalBytes = v);
        Set(memory.AvailableBytes, v => message.AvailableBytes = v);
        Set(memory.LimitBytes, v => message.LimitBytes = v);
        Set(memory.HostTotalBytes, v => message.HostTotalBytes = v);
        return message;
    }

    private static SwapHealth Swap(SwapFigures swap, HealthRates rates)
    {
        var message = new SwapHealth();
        Set(swap.TotalBytes, v => message.TotalBytes = v);
        Set(swap.UsedBytes, v => message.UsedBytes = v);
        Set(rates.SwapInPagesPerSecond, v => message.InPagesPerS = v);
        Set(rates.SwapOutPagesPerSecond, v => message.OutPagesPerS = v);
        return message;
    }

    private static PressureHealth Pressure(HealthSample sample)
    {
        var message = new PressureHealth();
        Set(sample.MemoryPressure.SomeAvg10, v => message.MemorySomeAvg10 = v);
        Set(sample.MemoryPressure.FullAvg10, v => message.MemoryFullAvg10 = v);
        Set(sample.CpuPressure.SomeAvg10, v => message.CpuSomeAvg10 = v);
        return message;
    }

    private static TcpMemoryHealth TcpMemory(TcpMemoryFigures tcp)
    {
        var message = new TcpMemoryHealth();
        Set(tcp.UsedPages, v => message.UsedPages = v);
        Set(tcp.PressurePages, v => message.PressurePages = v);
        Set(tcp.MaxPages, v => message.MaxPages = v);
        return message;
    }

    private static UsageHealth Usage(UsageFigures usage)
    {
        var message = new UsageHealth();
        Set(usage.Used, v => message.Used = v);
        Set(usage.Max, v => message.Max = v);
        return message;
    }

    private static ProcessHealth Process(ProcessFigures process)
    {
        var message = new ProcessHealth { Descriptors = Usage(process.Descriptors) };
        Set(process.RssBytes, v => message.RssBytes = v);
        Set(process.Threads, v => message.Threads = v);
        Set(process.Sockets, v => message.Sockets = v);
        return message;
    }

    private static NicHealth Nic(NicRate nic)
    {
        var message = new NicHealth { Name = nic.Name, DroppedPerS = nic.DroppedPerSecond };
        Set(nic.DropRatio, v => message.DropRatio = v);
        return message;
    }

    private static MemoryNeedHealth Need(MemoryNeed need, HealthPicture picture)
    {
        var message = new MemoryNeedHealth
        {
            TotalBytes = (ulong)need.TotalBytes,
            BufferBytes = (ulong)need.BufferBytes,
            FlowBytes = (ulong)need.FlowBytes,
            OtherBytes = (ulong)need.OtherBytes,
        };
        message.Gateways.AddRange(picture.Gateways.Select(g => new GatewayLoadHealth
        {
            Gateway = g.Name,
            Links = (uint)g.Links,
            Flows = (ulong)g.Flows,
            Mbps = g.BytesPerSecond * 8 / 1e6,
            RttMs = g.Rtt.TotalMilliseconds,
        }));
        return message;
    }

    private static void Set(long? value, Action<ulong> set)
    {
        if (value is >= 0 and var known)
        {
            set((ulong)known);
        }
    }

    private static void Set<T>(T? value, Action<T> set)
        where T : struct
    {
        if (value is { } known)
        {
            set(known);
        }
    }
}
