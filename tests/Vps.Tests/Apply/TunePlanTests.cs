using Aggregator.Host;
using Aggregator.Vps.Apply;
using Aggregator.Vps.Tests.Pairing;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Vps.Tests.Apply;

/// <summary>The plan, and how it is set and taken back in a directory that stands for /proc/sys. The kernel's own is in Network.Tests.</summary>
public sealed class TunePlanTests : IDisposable
{
    private static readonly TuneFacts Small = new(1L << 30, 1L << 30, 4096, HasSwap: true, HasBbr: true);

    private readonly TemporaryDirectory _directory = new();

    private string DropIn => _directory["90-aggregator-vps.conf"];

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData(256, 12)]
    [InlineData(1024, 16)]
    [InlineData(128, 8)]
    public void Tcp_gets_its_share_of_the_memory(long mebibytes, int percent)
    {
        string value = ValueOf(Small with { MemoryBytes = mebibytes << 20, HostMemoryBytes = mebibytes << 20 }, "net.ipv4.tcp_mem");
        long[] marks = [.. value.Split(' ').Select(long.Parse)];
        (marks[1] * 4096.0 / (mebibytes << 20)).ShouldBe(percent / 100.0, 0.001);
        marks.ShouldBe([marks[1] * 3 / 4, marks[1], marks[1] * 3 / 2]);
    }

    [Fact]
    public void What_is_shared_follows_the_host_and_what_is_ours_the_limit()
    {
        var limited = Small with { MemoryBytes = 256L << 20, HostMemoryBytes = 32L << 30 };
        ValueOf(limited, "net.ipv4.tcp_mem").ShouldBe(ValueOf(limited with { MemoryBytes = 32L << 30 }, "net.ipv4.tcp_mem"));
        ValueOf(limited, "net.ipv4.tcp_rmem").ShouldBe($"{6 << 20}");
    }

    [Fact]
    public void Nothing_is_asked_of_a_host_without_swap_or_bbr()
    {
        var names = TunePlan.For(Small with { HasSwap = false, HasBbr = false }).Select(i => i.Setting.Name.ToString()).ToArray();
        names.ShouldNotContain("vm.swappiness");
        names.ShouldNotContain("net.ipv4.tcp_congestion_control");
    }

    [Fact]
    public void One_connection_never_gets_all_of_tcps_memory() =>
        Prop.ForAll(Gen.Choose(64, 1 << 20).ToArbitrary(), mebibytes =>
        {
            var facts = Small with { MemoryBytes = (long)mebibytes << 20, HostMemoryBytes = (long)mebibytes << 20 };
            long[] marks = [.. ValueOf(facts, "net.ipv4.tcp_mem").Split(' ').Select(long.Parse)];
            marks.ShouldBeInOrder();
            long.Parse(ValueOf(facts, "net.ipv4.tcp_rmem")).ShouldBeLessThan(2 * marks[2] * 4096);
            (marks[2] * 4096).ShouldBeLessThan((long)mebibytes << 19, "half of the memory at most");
        }).QuickCheckThrowOnFailure();

    [Fact]
    public async Task Applied_twice_and_taken_back_once_is_as_before()
    {
        Kernel("vm/swappiness", "60");
        Kernel("net/core/somaxconn", "128");
        Kernel("net/ipv4/tcp_congestion_control", "reno");
        var first = await Tuning().ApplyAsync(TunePlan.For(Small));
        State(first, "vm.swappiness").ShouldBe(TuneState.Applied);
        State(first, "net.core.somaxconn").ShouldBe(TuneState.Applied);
        State(first, "net.ipv4.tcp_mem").ShouldBe(TuneState.Absent);
        Kernel("vm/swappiness").ShouldBe("10");
        string file = await File.ReadAllTextAsync(DropIn);
        file.ShouldContain("\n-vm.swappiness = 10\n");
        file.ShouldContain("\n-net.core.somaxconn = 4096\n");
        file.ShouldNotContain("tcp_mem");

        (await Tuning().ApplyAsync(TunePlan.For(Small))).ShouldAllBe(r => r.State != TuneState.Change && r.State != TuneState.Failed);
        (await Tuning().UndoAsync()).ShouldBeEmpty();
        Kernel("vm/swappiness").ShouldBe("60");
        Kernel("net/core/somaxconn").ShouldBe("128");
        File.Exists(DropIn).ShouldBeFalse();
        Directory.GetFiles(_directory["state"]).ShouldBeEmpty();
        (await Tuning().UndoAsync()).ShouldBeEmpty("again is no error");
    }

    [Fact]
    public async Task A_restart_of_the_host_in_between_changes_nothing()
    {
        Kernel("vm/swappiness", "60");
        Kernel("net/core/somaxconn", "128");
        await Tuning().ApplyAsync(TunePlan.For(Small));

        // The host comes up with its defaults, and sysctl.d has set one of them so far.
        Kernel("net/core/somaxconn", "128");
        State(Tuning().Look(TunePlan.For(Small)), "net.core.somaxconn").ShouldBe(TuneState.Change);
        await Tuning().UndoAsync();
        Kernel("vm/swappiness").ShouldBe("60");
        Kernel("net/core/somaxconn").ShouldBe("128");
    }

    [Fact]
    public async Task What_somebody_else_set_since_is_his()
    {
        Kernel("vm/swappiness", "60");
        await Tuning().ApplyAsync(TunePlan.For(Small));
        Kernel("vm/swappiness", "05");
        await Tuning().UndoAsync();
        Kernel("vm/swappiness").ShouldBe("05");
    }

    [Fact]
    public async Task A_value_that_is_good_already_is_left_alone()
    {
        Kernel("vm/swappiness", "1");
        Kernel("net/core/somaxconn", "65535");
        var results = await Tuning().ApplyAsync(TunePlan.For(Small));
        State(results, "vm.swappiness").ShouldBe(TuneState.Ok);
        State(results, "net.core.somaxconn").ShouldBe(TuneState.Ok);
        File.Exists(DropIn).ShouldBeFalse();
    }

    [Fact]
    public async Task What_the_daemon_holds_is_changed_beneath_it()
    {
        // The daemon found 128 and set 9999 for its own time.
        Kernel("net/core/somaxconn", "9999");
        Dictionary<string, string> originals = new() { ["net/core/somaxconn"] = "128" };
        var daemon = new DaemonSettings(originals, changed =>
        {
            foreach (var (path, value) in changed)
            {
                originals[path] = value;
            }

            return Task.CompletedTask;
        });

        State(await Tuning(daemon).ApplyAsync(TunePlan.For(Small)), "net.core.somaxconn").ShouldBe(TuneState.Applied);
        originals["net/core/somaxconn"].ShouldBe("4096");
        Kernel("net/core/somaxconn").ShouldBe("9999", "as the daemon wants it, for as long as it runs");
        (await Tuning(daemon).UndoAsync()).ShouldBeEmpty();
        originals["net/core/somaxconn"].ShouldBe("128");
    }

    [Fact]
    public async Task What_belongs_to_the_host_is_said_to()
    {
        Kernel("net/core/rmem_max", "212992");
        File.SetUnixFileMode(PathOf("net/core/rmem_max"), UnixFileMode.UserRead);
        State(await Tuning().ApplyAsync(TunePlan.For(Small)), "net.core.rmem_max").ShouldBe(TuneState.HostOnly);
    }

    [Fact]
    public async Task A_value_that_the_kernel_refuses_is_named_and_not_kept()
    {
        // What a write leaves behind is not what was written: as a kernel that rounds.
        Kernel("net/ipv4/tcp_congestion_control", "reno\nodd");
        var results = await Tuning().ApplyAsync(TunePlan.For(Small));
        var failed = results.Single(r => r.State == TuneState.Failed);
        failed.Item.Setting.Name.ToString().ShouldBe("net.ipv4.tcp_congestion_control");
        failed.Problem.ShouldNotBeNull();
        File.Exists(DropIn).ShouldBeFalse();
    }

    private static string ValueOf(TuneFacts facts, string name) => TunePlan.For(facts).Single(i => i.Setting.Name.ToString() == name).Setting.Value;

    private static TuneState State(IReadOnlyList<TuneResult> results, string name) => results.Single(r => r.Item.Setting.Name.ToString() == name).State;

    private HostTuning Tuning(DaemonSettings? daemon = null) =>
        new(TuneJournal.Open(_directory["state"]), new SysctlFiles(_directory["sys"]), DropIn, daemon ?? DaemonSettings.None);

    private string PathOf(string path) => Path.Combine(_directory["sys"], path);

    // A file, unlike a setting, keeps what a shorter value does not overwrite: blanks behind it are no part of a value.
    private void Kernel(string path, string value)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(PathOf(path))!);
        File.WriteAllText(PathOf(path), value);
    }

    private string Kernel(string path) => File.ReadAllText(PathOf(path)).Split('\n')[0];
}
