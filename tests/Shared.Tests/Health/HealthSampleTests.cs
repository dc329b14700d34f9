using Aggregator.Cli;
using Aggregator.Health;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using System.Text.Json;
using Xunit;

namespace Aggregator.Shared.Tests.Health;

public sealed class HealthSampleTests
{
    [Fact]
    public void Everything_a_usual_host_tells()
    {
        using var host = HostRoot.Usual();
        var sample = Read(host);
        sample.Memory.ShouldBe(new MemoryFigures(2_048_000_000, 1_536_000_000, 2_048_000_000, null));
        sample.Swap.ShouldBe(new SwapFigures(1_024_000_000, 102_400_000, 100, 200));
        sample.Swappiness.ShouldBe(10);
        sample.MemoryPressure.ShouldBe(new PressureFigures(0.12, 0.05));
        sample.CpuPressure.ShouldBe(new PressureFigures(3.5, null));
        sample.TcpMemory.ShouldBe(new TcpMemoryFigures(34, 29781, 44670));
        sample.Conntrack.ShouldBe(new UsageFigures(3, 65536));
        sample.Files.ShouldBe(new UsageFigures(1897, 2466177));
        sample.Load1.ShouldBe(0.52);
        sample.Cpu.ShouldBe(new CpuFigures(2, 1000, 35));
        sample.Nics.ShouldBe([new NicCounters("eth0", 30, 3)]);
        sample.Kernel.ShouldBe("6.1.0-44-amd64");
        sample.MptcpEnabled.ShouldBe(true);
        sample.HasBbr.ShouldBe(true);
        sample.CongestionControl.ShouldBe("cubic");
        HealthFindings.Of(new HealthPicture(sample, HealthRates.None)).ShouldBeEmpty();
    }

    [Fact]
    public void The_real_host_is_read_without_gaps_that_it_need_not_have()
    {
        var sample = HealthSample.Read(new HostFiles(), TimeProvider.System, withProcess: true);
        sample.Memory.TotalBytes.ShouldNotBeNull();
        sample.Memory.AvailableBytes.ShouldNotBeNull();
        sample.Cpu.Cpus.ShouldBe(Environment.ProcessorCount);
        var process = sample.Process.ShouldNotBeNull();
        process.RssBytes.ShouldNotBeNull().ShouldBeInRange(10_000_000, 4_000_000_000);
        process.Threads.ShouldNotBeNull().ShouldBeGreaterThan(2);
        // The test runner itself talks over one.
        process.Sockets.ShouldNotBeNull().ShouldBeGreaterThan(0);
        process.Descriptors.Used.ShouldNotBeNull().ShouldBeGreaterThan(3);
    }

    [Fact]
    public void A_host_that_tells_nothing_is_null_everywhere_and_ok()
    {
        using var host = new HostRoot();
        using var json = Json(Read(host));
        var root = json.RootElement;
        root.GetProperty("level").GetString().ShouldBe("ok");
        root.GetProperty("findings").GetArrayLength().ShouldBe(0);
        foreach (string path in (string[])
            ["memory.total_bytes", "memory.available_bytes", "swap.total_bytes", "swap.used_bytes", "swap.in_pages_per_s", "swap.out_pages_per_s", "swappiness",
                "pressure.memory_some_avg10", "pressure.cpu_some_avg10", "tcp_memory.used_pages", "tcp_memory.pressure_pages", "conntrack.used", "conntrack.max",
                "process", "load1", "cpus", "kernel", "mptcp_enabled", "bbr_available", "cpu_limit", "cpu_throttled_ratio"])
        {
            var at = path.Split('.').Aggregate(root, (element, name) => element.GetProperty(name));
            at.ValueKind.ShouldBe(JsonValueKind.Null, path);
        }
    }

    [Fact]
    public void No_swap_at_all_is_zero_and_no_finding()
    {
        using var host = HostRoot.Usual()
            .With("/proc/meminfo", "MemTotal: 2000000 kB\nMemAvailable: 1500000 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n")
            .With("/proc/sys/vm/swappiness", "60\n");
        var sample = Read(host);
        sample.Swap.TotalBytes.ShouldBe(0);
        sample.Swap.UsedBytes.ShouldBe(0);
        HealthFindings.Of(new HealthPicture(sample, HealthRates.None)).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("MemTotal: -5 kB\nMemAvailable: 1 kB\n", null, 1024L)]
    [InlineData("MemTotal: 2000 kB\nMemAvailable: 10", 2_048_000L, null)]
    [InlineData("MemTotal: 99999999999999999999 kB\nMemAvailable: 9223372036854775807 kB\n", null, null)]
    [InlineData("MemTotal: 2000 kB\nMemAvailable: 3000 kB\n", 2_048_000L, 2_048_000L)]
    [InlineData("MemTotal: 0 kB\n", null, null)]
    [InlineData("MemTotal:\n\n\0\0garbage 12 kB", null, null)]
    public void Odd_memory_is_not_known(string meminfo, long? total, long? available)
    {
        var memory = MemoryFigures.Combine(meminfo, null);
        memory.TotalBytes.ShouldBe(total);
        memory.AvailableBytes.ShouldBe(available);
    }

    [Fact]
    public void A_kernel_without_mptcp_is_off_and_a_hidden_sys_is_not_known()
    {
        using var host = new HostRoot().With("/proc/sys/net/ipv4/ip_forward", "1\n");
        Read(host).MptcpEnabled.ShouldBe(false);
        using var hidden = new HostRoot().With("/proc/sys/kernel/osrelease", "6.1\n");
        Read(hidden).MptcpEnabled.ShouldBeNull();
    }

    [Fact]
    public void A_file_that_is_too_long_is_cut_at_a_line()
    {
        using var host = new HostRoot().With("/proc/net/dev", string.Concat(Enumerable.Repeat("x0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n", 20_000)));
        string text = host.Files.Read("/proc/net/dev").ShouldNotBeNull();
        text.Length.ShouldBeLessThanOrEqualTo(HostFiles.MaxBytes);
        text.ShouldEndWith("\n");
        NicCounters.Parse(text).Length.ShouldBe(NicCounters.MaxNics);
    }

    [Fact]
    public void No_text_breaks_a_parser_and_nothing_negative_comes_out()
    {
        // Pieces of real files, cut and mixed, with numbers of every size.
        var pieces = Gen.Elements(
            "MemTotal:", "MemAvailable:", "SwapTotal:", "SwapFree:", "pswpin", "pswpout", "some", "full", "avg10=", "avg10=1.5", "cpu", "cpu0", "TCP:", "mem",
            "eth0:", "lo:", "VmRSS:", "Threads:", "Max open files ", "kB", " ", "  ", "\t", "\n", "\n", "-1", "0", "7", "9223372036854775807", "99999999999999999999",
            "-9223372036854775808", "1e309", "NaN", "∞", "\0", "max", "unlimited", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16");
        var texts = Gen.Select(Gen.ArrayOf(pieces), p => string.Concat(p)).ToArbitrary();
        Prop.ForAll(texts, text =>
        {
            var memory = MemoryFigures.Combine(text, null);
            var swap = SwapFigures.Parse(text, text);
            var pressure = PressureFigures.Parse(text);
            var cpu = CpuFigures.Parse(text);
            var tcp = TcpMemoryFigures.Parse(text, text);
            var files = UsageFigures.ParseFileNr(text);
            var (rss, threads) = ProcessFigures.ParseStatus(text);
            var nics = NicCounters.Parse(text);
            long?[] counts =
            [
                memory.TotalBytes, memory.AvailableBytes, swap.TotalBytes, swap.UsedBytes, swap.PagesIn, swap.PagesOut, cpu.TotalTicks, cpu.StealTicks, cpu.Cpus,
                tcp.UsedPages, tcp.PressurePages, tcp.MaxPages, files.Used, files.Max, rss, threads, ProcessFigures.ParseOpenFilesLimit(text),
                .. nics.SelectMany(n => (long?[])[n.Packets, n.Dropped]),
            ];
            return counts.All(c => c is null or >= 0)
                && pressure.SomeAvg10 is null or (>= 0 and <= 100)
                && (memory.TotalBytes is null || memory.AvailableBytes is null || memory.AvailableBytes <= memory.TotalBytes)
                && (swap.TotalBytes is null || swap.UsedBytes is null || swap.UsedBytes <= swap.TotalBytes);
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Any_text_at_all_is_survived()
    {
        Prop.ForAll<string>(text =>
        {
            using var json = Json(new HealthSample
            {
                Timestamp = 0,
                Memory = MemoryFigures.Combine(text, null),
                Swap = SwapFigures.Parse(text, text),
                MemoryPressure = PressureFigures.Parse(text),
                TcpMemory = TcpMemoryFigures.Parse(text, text),
                Cpu = CpuFigures.Parse(text),
                Nics = NicCounters.Parse(text),
            });
            _ = CgroupTree.Directories(text ?? "", text ?? "", "memory");
            _ = CgroupTree.Directories(text ?? "", text ?? "", null);
        }).QuickCheckThrowOnFailure();
    }

    private static HealthSample Read(HostRoot host) => HealthSample.Read(host.Files, TimeProvider.System, withProcess: false);

    private static JsonDocument Json(HealthSample sample) =>
        JsonDocument.Parse(JsonOutput.Format(HealthReport.Of(new HealthPicture(sample, HealthRates.None))));
}
