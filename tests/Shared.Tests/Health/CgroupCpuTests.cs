using Aggregator.Health;
using Aggregator.Speed;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Health;

/// <summary>The processor time that a cgroup's quota leaves, in both versions, and what is told of it.</summary>
public sealed class CgroupCpuTests
{
    private const string Stat = "/proc/stat", Second = "/sys/fs/cgroup/vps.service/cpu.";
    private const string Idle = "cpu0 50 0 25 400 5 0 0 0\ncpu1 50 0 25 400 5 0 0 0\n";

    private static readonly TimeSpan OneSecond = TimeSpan.FromSeconds(1);

    [Fact]
    public void Of_version_2_the_lowest_on_the_way_up_counts()
    {
        using var host = Version2("50000 100000\n", "usage_usec 700\nuser_usec 1\nnr_periods 10\nnr_throttled 4\nthrottled_usec 9\n")
            .With("/sys/fs/cgroup/cpu.max", "150000 100000\n");
        CgroupCpu.Read(host.Files).ShouldBe(new CgroupCpu(0.5, 700, 10, 4));
        host.With("/sys/fs/cgroup/cpu.max", "20000 100000\n").With("/sys/fs/cgroup/cpu.stat", "usage_usec 5\n");
        CgroupCpu.Read(host.Files).ShouldBe(new CgroupCpu(0.2, 5, null, null));
    }

    [Fact]
    public void Of_version_1_use_is_known_where_both_controllers_are_together()
    {
        using var host = Version1("25000\n", "100000\n");
        CgroupCpu.Read(host.Files).ShouldBe(new CgroupCpu(0.25, null, 10, 4));
        host.With("/sys/fs/cgroup/cpu/box/cpuacct.usage", "3000000\n");
        CgroupCpu.Read(host.Files).ShouldBe(new CgroupCpu(0.25, 3000, 10, 4));
    }

    [Theory]
    [InlineData("-1\n", "100000\n")]
    [InlineData("25000\n", "0\n")]
    [InlineData("25000\n", "")]
    [InlineData("", "100000\n")]
    [InlineData("much\n", "100000\n")]
    public void What_is_no_quota_is_none(string quota, string period)
    {
        using var host = Version1(quota, period);
        CgroupCpu.Read(host.Files).ShouldBeNull();
        using var second = Version2($"{quota.Trim().Replace("-1", "max", StringComparison.Ordinal)} {period}", "");
        CgroupCpu.Read(second.Files).ShouldBeNull();
    }

    [Fact]
    public void Busy_and_throttled_parts_are_those_between_two_looks()
    {
        var before = new CgroupCpu(0.5, 1_000_000, 100, 10);
        CgroupCpu.Busy(before, before with { UsageUs = 1_400_000 }, OneSecond).ShouldNotBeNull().ShouldBe(0.8, 0.001);
        CgroupCpu.Busy(before, before with { UsageUs = 9_000_000 }, OneSecond).ShouldBe(1);
        CgroupCpu.Busy(before, before with { UsageUs = 1 }, OneSecond).ShouldBeNull();
        CgroupCpu.Busy(before, before with { UsageUs = null }, OneSecond).ShouldBeNull();
        CgroupCpu.Busy(before, before, TimeSpan.Zero).ShouldBeNull();
        CgroupCpu.Throttled(before, before with { Periods = 110, ThrottledPeriods = 18 }).ShouldNotBeNull().ShouldBe(0.8, 0.001);
        CgroupCpu.Throttled(before, before).ShouldBeNull();
        CgroupCpu.Throttled(before, before with { Periods = 110, ThrottledPeriods = 2 }).ShouldBeNull();
    }

    [Fact]
    public void The_meter_measures_against_what_there_is()
    {
        using var host = Version1("10000\n", "100000\n").With(Stat, Idle);
        var time = new SteppedTime();
        TimeSpan used = TimeSpan.Zero;
        var meter = new CpuMeter(time, host.Files, () => used);
        meter.TryRead().ShouldBeNull("too little time has passed");
        // The whole quota of a tenth: a twentieth of two processors.
        used += TimeSpan.FromMilliseconds(100);
        host.With("/sys/fs/cgroup/cpu/box/cpu.stat", "nr_periods 20\nnr_throttled 13\nthrottled_time 1\n")
            .With(Stat, "cpu0 55 0 25 495 5 0 0 0\ncpu1 55 0 25 495 5 0 0 0\n");
        time.Pass(OneSecond);
        // A wall clock that is set back meanwhile is of no interest.
        time.SetWall(TimeSpan.FromHours(-3));
        var told = meter.TryRead().ShouldNotBeNull();
        told.LimitCpus.ShouldBe(0.1);
        told.ThrottledRatio.ShouldBe(0.9, 0.001);
        told.ProcessRatio.ShouldBe(1, 0.001);
        told.CpuRatio.ShouldBe(0.05, 0.001);

        // And where the group tells its use, that.
        host.With("/sys/fs/cgroup/cpu/box/cpuacct.usage", "0\n");
        time.Pass(OneSecond);
        _ = meter.TryRead();
        host.With("/sys/fs/cgroup/cpu/box/cpuacct.usage", "97000000\n");
        time.Pass(OneSecond);
        meter.TryRead().ShouldNotBeNull().CpuRatio.ShouldBe(0.97, 0.001);

        // No quota any more: the host's processors are what there is.
        host.With("/sys/fs/cgroup/cpu/box/cpu.cfs_quota_us", "-1\n");
        time.Pass(OneSecond);
        var free = meter.TryRead().ShouldNotBeNull();
        free.HasLimitCpus.ShouldBeFalse();
        free.HasThrottledRatio.ShouldBeFalse();
    }

    [Fact]
    public void Health_tells_of_a_quota_that_is_used_up()
    {
        using var host = HostRoot.Usual();
        Version1(host, "10000\n", "100000\n");
        var time = new SteppedTime();
        var before = HealthSample.Read(host.Files, time, withProcess: false);
        host.With("/sys/fs/cgroup/cpu/box/cpu.stat", "nr_periods 20\nnr_throttled 13\nthrottled_time 1\n");
        time.Pass(OneSecond);
        time.SetWall(TimeSpan.FromDays(400));
        var after = HealthSample.Read(host.Files, time, withProcess: false);
        var report = HealthReport.Of(new HealthPicture(after, HealthRates.Between(before, after, time)));
        report.CpuLimit.ShouldBe(0.1);
        report.CpuThrottledRatio.ShouldBe(0.9, 0.001);
        var finding = report.Findings.ShouldHaveSingleItem();
        finding.Code.ShouldBe("cpu-quota");
        finding.Text.ShouldBe("the daemon's cgroup may use 0.1 of 2 processors, and had used that up in 90 % of the last periods");
    }

    [Fact]
    public void Any_text_is_read_without_an_error() =>
        Prop.ForAll(ArbMap.Default.ArbFor<string?>(), ArbMap.Default.ArbFor<string?>(), (one, two) =>
        {
            using var host = Version2($"{one} {two}", $"usage_usec {one}\nnr_periods {two}\n");
            _ = CgroupCpu.Read(host.Files);
        }).QuickCheckThrowOnFailure();

    private static HostRoot Version2(string max, string stat) => new HostRoot()
        .With("/proc/self/cgroup", "0::/vps.service\n")
        .With("/proc/self/mountinfo", "41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
        .With(Second + "max", max)
        .With(Second + "stat", stat);

    private static HostRoot Version1(string quota, string period) => Version1(new HostRoot(), quota, period);

    private static HostRoot Version1(HostRoot host, string quota, string period) => host
        .With("/proc/self/cgroup", "3:cpuacct:/\n1:cpu:/box\n")
        .With("/proc/self/mountinfo", "35 31 0:32 / /sys/fs/cgroup/cpu rw,relatime shared:7 - cgroup cgroup rw,cpu\n")
        .With("/sys/fs/cgroup/cpu/box/cpu.cfs_quota_us", quota)
        .With("/sys/fs/cgroup/cpu/box/cpu.cfs_period_us", period)
        .With("/sys/fs/cgroup/cpu/box/cpu.stat", "nr_periods 10\nnr_throttled 4\nthrottled_time 7\n")
        .With("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
}
