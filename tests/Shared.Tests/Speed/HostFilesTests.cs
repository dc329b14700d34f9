using Aggregator.Speed;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Speed;

/// <summary>/proc files as kernels and containers have them.</summary>
public sealed class HostFilesTests
{
    private const string Stat =
        """
        cpu  100 0 50 800 50 0 0 0 0 0
        cpu0 60 0 30 400 10 0 0 0 0 0
        cpu1 40 0 20 400 40 0 0 0 0 0
        intr 1 2 3
        """;

    [Fact]
    public void Busy_parts_are_those_between_two_readings()
    {
        var before = CpuTimes.Parse(Stat)!;
        var after = CpuTimes.Parse(Stat.Replace("cpu0 60 0 30 400", "cpu0 150 0 30 410", StringComparison.Ordinal).Replace("cpu1 40 0 20 400", "cpu1 40 0 20 500", StringComparison.Ordinal))!;
        var (all, busiest) = CpuTimes.Between(before, after)!.Value;
        all.ShouldBe(0.45, 0.001);
        busiest.ShouldBe(0.9, 0.001);
        CpuTimes.Between(before, before).ShouldBeNull();
    }

    [Fact]
    public void A_file_without_processors_says_nothing()
    {
        CpuTimes.Parse("").ShouldBeNull();
        CpuTimes.Parse("cpu  1 2 3 4").ShouldBeNull();
        CpuTimes.Parse("cpu0 1 x 3 4").ShouldBeNull();
        CpuTimes.Between(CpuTimes.Parse("cpu0 1 2 3 4")!, CpuTimes.Parse("cpu0 1 2 3 4\ncpu1 1 2 3 4")!).ShouldBeNull();
    }

    [Fact]
    public void Counters_are_found_by_their_names()
    {
        const string netstat =
            """
            TcpExt: SyncookiesSent MPCapableSYNRX
            TcpExt: 7 8
            MPTcpExt: MPCapableSYNRX MPCapableSYNTX MPCapableFallbackACK
            MPTcpExt: 12 34 5
            """;
        MptcpCounters.Parse(netstat).ShouldBe(new MptcpCounters(12, 5));
        MptcpCounters.Parse("MPTcpExt: MPCapableSYNRX\nMPTcpExt: 12").ShouldBe(new MptcpCounters(12, null));
        MptcpCounters.Parse("MPTcpExt: MPCapableSYNRX").ShouldBe(default);
        MptcpCounters.Parse("MPTcpExt:\nMPTcpExt:").ShouldBe(default);
    }

    [Fact]
    public void Any_text_is_read_without_an_error() =>
        Prop.ForAll(ArbMap.Default.ArbFor<string?[]>(), lines =>
        {
            string text = string.Join('\n', lines.Select((l, i) => (i % 3) switch { 0 => "cpu0 ", 1 => "MPTcpExt: ", _ => "" } + l));
            _ = CpuTimes.Parse(text);
            _ = MptcpCounters.Parse(text);
        }).QuickCheckThrowOnFailure();
}
