using System.Collections.Immutable;
using Aggregator.Health;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Health;

public sealed class HealthFindingsTests
{
    private static readonly HealthSample Usual = new() { Timestamp = 0, Memory = new(4_000_000_000, 3_000_000_000, 4_000_000_000, null) };

    [Theory]
    [InlineData(1_023_000_000, 900_000_000, "memory-small:Warn")]
    [InlineData(1_024_000_000, 900_000_000, "")]
    [InlineData(4_000_000_000, 390_000_000, "memory-short:Warn")]
    [InlineData(4_000_000_000, 150_000_000, "memory-short:Critical")]
    public void Memory(long total, long available, string expected) =>
        Codes(Usual with { Memory = new(total, available, total, null) }).ShouldBe(expected);

    [Fact]
    public void Swapping_and_swappiness()
    {
        var swap = new SwapFigures(1_000_000_000, 5, 0, 0);
        Codes(Usual with { Swap = swap, Swappiness = 60 }).ShouldBe("swappiness:Warn");
        Codes(Usual with { Swap = swap, Swappiness = 10 }).ShouldBe("");
        Codes(Usual with { Swap = swap with { TotalBytes = 0 }, Swappiness = 60 }).ShouldBe("");
        Codes(Usual, new HealthRates { SwapInPagesPerSecond = 20 }).ShouldBe("swapping:Warn");
        Codes(Usual, new HealthRates { SwapOutPagesPerSecond = 5000 }).ShouldBe("swapping:Critical");
    }

    [Fact]
    public void Pressure_and_limits()
    {
        Codes(Usual with { MemoryPressure = new(12, 0) }).ShouldBe("memory-pressure:Warn");
        Codes(Usual with { MemoryPressure = new(45, 0) }).ShouldBe("memory-pressure:Critical");
        Codes(Usual with { TcpMemory = new(85, 100, 150) }).ShouldBe("tcp-memory:Warn");
        Codes(Usual with { TcpMemory = new(100, 100, 150) }).ShouldBe("tcp-memory:Critical");
        Codes(Usual with { Conntrack = new(85, 100) }).ShouldBe("conntrack:Warn");
        Codes(Usual with { Process = new ProcessFigures(1, 1, 1, new(1000, 1024)) }).ShouldBe("descriptors:Critical");
        Codes(Usual with { Files = new(90, 100) }).ShouldBe("files:Warn");
        Codes(Usual with { Load1 = 4, Cpu = new(2, 1, 0) }).ShouldBe("load:Warn");
        Codes(Usual, new HealthRates { StealRatio = 0.25 }).ShouldBe("steal:Warn");
        Codes(Usual, new HealthRates { Nics = [new("eth0", 50, 0.01), new("eth1", 50, 0.0001), new("eth2", 0.1, 1)] }).ShouldBe("nic-drops:Warn");
        Codes(Usual with { MptcpEnabled = false }).ShouldBe("mptcp-off:Critical");
        Codes(Usual with { HasBbr = false }).ShouldBe("bbr-missing:Warn");
    }

    [Fact]
    public void What_swings_around_its_mark_is_one_finding_until_it_is_well_below()
    {
        (double Load, string Expected)[] looks = [(3.9, ""), (4.1, "load:Warn"), (3.9, "load:Warn"), (3.3, "load:Warn"), (3.1, ""), (3.9, ""), (4.0, "load:Warn")];
        Follow(looks, load => Usual with { Load1 = load, Cpu = new(2, 1, 0) });
        (double Pages, string Expected)[] pages =
            [(79, ""), (80, "tcp-memory:Warn"), (100, "tcp-memory:Critical"), (81, "tcp-memory:Critical"), (79, "tcp-memory:Warn"), (65, "tcp-memory:Warn"), (63, ""), (79, "")];
        Follow(pages, used => Usual with { TcpMemory = new((long)used, 100, 150) });
        (double Available, string Expected)[] memory = [(11, ""), (9, "memory-short:Warn"), (12, "memory-short:Warn"), (13, ""), (3, "memory-short:Critical"), (4.5, "memory-short:Critical"), (6, "memory-short:Warn")];
        Follow(memory, percent => Usual with { Memory = new(4_000_000_000, (long)(percent * 40_000_000), 4_000_000_000, null) });
        (double Available, string Expected)[] gone = [(0, "memory-short:Critical")];
        Follow(gone, _ => Usual with { Memory = new(4_000_000_000, 0, 4_000_000_000, null) });
    }

    private static void Follow((double Value, string Expected)[] looks, Func<double, HealthSample> sample)
    {
        IReadOnlyDictionary<string, HealthLevel> before = ImmutableDictionary<string, HealthLevel>.Empty;
        foreach ((double value, string expected) in looks)
        {
            var findings = HealthFindings.Of(new HealthPicture(sample(value), HealthRates.None) { Before = before });
            string.Join(' ', findings.Select(f => $"{f.Code}:{f.Level}")).ShouldBe(expected, $"at {value}");
            before = HealthFindings.ByCode(findings);
        }
    }

    [Fact]
    public void A_clock_is_off_only_beyond_what_the_measurement_may_be_wrong_by()
    {
        Codes(Usual, clocks: [new("gateway home", TimeSpan.FromSeconds(-3), TimeSpan.FromSeconds(1))]).ShouldBe("clock-skew:Warn");
        Codes(Usual, clocks: [new("gateway home", TimeSpan.FromSeconds(3), TimeSpan.FromSeconds(2.5))]).ShouldBe("");
        Findings(Usual, clocks: [new("gateway home", TimeSpan.FromSeconds(-3), TimeSpan.Zero)]).Single().Text
            .ShouldBe("this host's clock is 3.0 s behind that of gateway home");
    }

    [Fact]
    public void What_the_links_need_is_rate_times_delay()
    {
        // 200 Mbit/s over 150 ms, four times: 15 MB; 100 flows; and 500 MB that others use, of which TCP's 10 MB are counted as buffers already.
        var sample = Usual with { Memory = new(1_000_000_000, 500_000_000, 1_000_000_000, null), TcpMemory = new(10_000_000 / Environment.SystemPageSize, null, null) };
        ImmutableArray<GatewayLoad> gateways = [new("home", 25e6, TimeSpan.FromMilliseconds(150), 3, 100)];
        var need = MemoryNeed.Of(gateways, sample).ShouldNotBeNull();
        need.BufferBytes.ShouldBe(15_000_000);
        need.TotalBytes.ShouldBeInRange(504_000_000, 506_000_000);
        Findings(sample, gateways: gateways).Single().Text.ShouldStartWith(
            "this host has 1000 MB of memory, less than 1024 MB; the present links and flows need about 505 MB (15 MB of buffers for rate × delay,");

        // 10 Gbit/s over a second do not fit.
        Codes(sample, gateways: [new("home", 1.25e9, TimeSpan.FromSeconds(1), 3, 100)]).ShouldBe("memory-small:Warn,memory-need:Warn");
        MemoryNeed.Of([], sample).ShouldBeNull();
    }

    [Fact]
    public void Rates_follow_the_monotonic_clock_and_a_counter_that_went_back_is_not_known()
    {
        var earlier = Usual with { Timestamp = 0, Swap = new(1, 0, 100, 500), Cpu = new(2, 1000, 10), Nics = [new("eth0", 1000, 5), new("gone", 1, 1)] };
        var later = Usual with
        {
            Timestamp = 2 * TimeProvider.System.TimestampFrequency,
            Swap = new(1, 0, 300, 400),
            Cpu = new(2, 1200, 60),
            Nics = [new("eth0", 1990, 15), new("new", 1, 1)],
        };
        var rates = HealthRates.Between(earlier, later, TimeProvider.System);
        rates.SwapInPagesPerSecond.ShouldBe(100);
        rates.SwapOutPagesPerSecond.ShouldBeNull();
        rates.StealRatio.ShouldBe(0.25);
        rates.Nics.ShouldBe([new NicRate("eth0", 5, 0.01)]);
        HealthRates.Between(later, earlier, TimeProvider.System).ShouldBe(HealthRates.None);
        HealthRates.Between(earlier, earlier, TimeProvider.System).ShouldBe(HealthRates.None);
    }

    [Fact]
    public void The_level_is_that_of_the_worst_and_the_worst_comes_first()
    {
        var numbers = Gen.Elements<long?>(null, 0, 1, 80, 96, 100, 1000, long.MaxValue).ToArbitrary();
        var percents = Gen.Elements<double?>(null, 0, 7, 40, 100).ToArbitrary();
        Prop.ForAll(numbers, numbers, percents, (used, max, percent) =>
        {
            var sample = new HealthSample
            {
                Timestamp = 0,
                Memory = new(max, used <= max ? used : null, max, null),
                Swap = new(max, used, used, max),
                Swappiness = used,
                TcpMemory = new(used, max, max),
                Conntrack = new(used, max),
                Files = new(max, used),
                MemoryPressure = new(percent, percent),
                Load1 = percent,
                Cpu = new((int?)(max % 8), max, used),
            };
            var findings = HealthFindings.Of(new HealthPicture(sample, new HealthRates { SwapInPagesPerSecond = used, StealRatio = percent / 100 })
            {
                Gateways = [new("g", percent ?? double.MaxValue, TimeSpan.MaxValue, 1, used ?? 0)],
            });
            return findings.Select(f => f.Level).SequenceEqual(findings.Select(f => f.Level).OrderDescending())
                && findings.All(f => f.Level != HealthLevel.Ok && f.Text.Length > 0 && f.Remedy.Length > 0)
                && HealthFindings.Level(findings) == (findings.Count == 0 ? HealthLevel.Ok : findings[0].Level);
        }).QuickCheckThrowOnFailure();
    }

    private static string Codes(HealthSample sample, HealthRates? rates = null, ImmutableArray<ClockSkew>? clocks = null, ImmutableArray<GatewayLoad>? gateways = null) =>
        string.Join(',', Findings(sample, rates, clocks, gateways).Select(f => $"{f.Code}:{f.Level}"));

    private static IReadOnlyList<Finding> Findings(
        HealthSample sample, HealthRates? rates = null, ImmutableArray<ClockSkew>? clocks = null, ImmutableArray<GatewayLoad>? gateways = null) =>
        HealthFindings.Of(new HealthPicture(sample, rates ?? HealthRates.None) { Clocks = clocks ?? [], Gateways = gateways ?? [] });
}
