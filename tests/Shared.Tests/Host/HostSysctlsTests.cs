using Aggregator.Host;
using Aggregator.Settings;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Host;

/// <summary>Against a directory that stands for /proc/sys: the rules and the journal. The kernel's own is in Network.Tests.</summary>
public sealed class HostSysctlsTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("aggregator-sysctl-").FullName;

    private string Root => Path.Combine(_directory, "sys");

    private string State => Path.Combine(_directory, "state");

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void Applies_remembers_and_puts_back()
    {
        Kernel("net/ipv4/tcp_rmem", "4096\t131072\t6291456\n");
        Kernel("net/mptcp/blackhole_timeout", "9\n");
        var wanted = new[]
        {
            new SysctlSetting(SysctlName.Of("net.ipv4.tcp_rmem"), "16777216", SysctlRule.AtLeast),
            new SysctlSetting(SysctlName.Of("net.mptcp.blackhole_timeout"), "0"),
            new SysctlSetting(SysctlName.Of("net.mptcp.not_in_this_kernel"), "0"),
        };

        var first = Open().Apply(wanted);

        first.Problems.ShouldBeEmpty();
        first.Changes.ShouldBe(2);
        first.Applied.Select(a => a.ToString()).ShouldBe([
            "AppliedSysctl { Name = net.ipv4.tcp_rmem, Value = 4096 131072 16777216, Before = 4096 131072 6291456 }",
            "AppliedSysctl { Name = net.mptcp.blackhole_timeout, Value = 0, Before = 9 }",
        ]);
        Open().Apply(wanted).Changes.ShouldBe(0);

        var restored = Open().Restore();

        restored.Applied.ShouldBeEmpty();
        Kernel("net/ipv4/tcp_rmem").ShouldBe("4096 131072 6291456");
        Kernel("net/mptcp/blackhole_timeout").ShouldBe("9");
        File.Exists(Path.Combine(State, "host-journal.json")).ShouldBeFalse();
    }

    [Fact]
    public void A_setting_no_longer_wanted_is_put_back()
    {
        Kernel("net/ipv4/conf/wan1/rp_filter", "1\n");
        var name = SysctlName.Of("net", "ipv4", "conf", "wan1", "rp_filter");
        Open().Apply([new SysctlSetting(name, "2", SysctlRule.InPlaceOfOne)]).Changes.ShouldBe(1);

        Open().Apply([]).Changes.ShouldBe(1);

        Kernel("net/ipv4/conf/wan1/rp_filter").ShouldBe("1");
    }

    [Fact]
    public void What_is_good_enough_is_not_touched_and_not_journalled()
    {
        Kernel("net/ipv4/tcp_rmem", "4096 131072 33554432");
        Kernel("net/ipv4/conf/wan1/rp_filter", "0");
        var journal = OpenJournal();

        var outcome = new HostSysctls(journal, new SysctlFiles(Root)).Apply([
            new SysctlSetting(SysctlName.Of("net.ipv4.tcp_rmem"), "16777216", SysctlRule.AtLeast),
            new SysctlSetting(SysctlName.Of("net", "ipv4", "conf", "wan1", "rp_filter"), "2", SysctlRule.InPlaceOfOne),
        ]);

        outcome.Changes.ShouldBe(0);
        journal.IsEmpty.ShouldBeTrue();
    }

    [Theory]
    [InlineData("4096 131072 6291456", "4096 4194304 33554432")]
    [InlineData("4096 131072 67108864", "4096 4194304 67108864")]
    [InlineData("4096 8388608 6291456", "4096 8388608 33554432")]
    [InlineData("4096 4194304 33554432", null)]
    public void Of_several_numbers_each_is_a_minimum(string before, string? after)
    {
        var setting = new SysctlSetting(SysctlName.Of("net.ipv4.tcp_rmem"), "4194304 33554432", SysctlRule.AtLeast);

        setting.ValueFor(before).ShouldBe(after);
    }

    [Fact]
    public void The_first_original_counts_when_the_interface_comes_back_with_another_value()
    {
        Kernel("net/ipv4/conf/wan1/rp_filter", "1");
        var wanted = new[] { new SysctlSetting(SysctlName.Of("net", "ipv4", "conf", "wan1", "rp_filter"), "2") };
        Open().Apply(wanted);
        File.Delete(Path.Combine(Root, "net/ipv4/conf/wan1/rp_filter"));
        Open().Apply(wanted).Changes.ShouldBe(0);
        Kernel("net/ipv4/conf/wan1/rp_filter", "0");
        Open().Apply(wanted).Changes.ShouldBe(1);

        Open().Restore();

        Kernel("net/ipv4/conf/wan1/rp_filter").ShouldBe("1");
    }

    [Fact]
    public void A_journal_of_another_namespace_or_boot_is_not_used()
    {
        Kernel("net/mptcp/blackhole_timeout", "9");
        Open().Apply([new SysctlSetting(SysctlName.Of("net.mptcp.blackhole_timeout"), "0")]);

        HostJournal.Open(State, "another").IsEmpty.ShouldBeTrue();
        HostJournal.Open(State, "here").IsEmpty.ShouldBeFalse();
    }

    [Fact]
    public void A_damaged_journal_is_named()
    {
        Directory.CreateDirectory(State);
        File.WriteAllText(Path.Combine(State, "host-journal.json"), "{\"names");

        Should.Throw<StateException>(() => OpenJournal()).Message.ShouldContain("host-journal.json");
    }

    [Fact]
    public void The_journal_is_its_owners_alone()
    {
        OpenJournal().Record("k", "v");

        File.GetUnixFileMode(Path.Combine(State, "host-journal.json")).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.GetUnixFileMode(State).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    [Fact]
    public void Any_order_of_wanted_sets_ends_with_what_was_before()
    {
        string[] names = ["a", "b", "c"];
        var sets = Gen.ArrayOf(Gen.ArrayOf(Gen.Zip(Gen.Elements(names), Gen.Elements("1", "2", "3")))).ToArbitrary();
        Prop.ForAll(sets, rounds =>
        {
            foreach (string name in names)
            {
                Kernel($"net/{name}", "7");
            }

            foreach (var round in rounds)
            {
                var wanted = round.DistinctBy(r => r.Item1).Select(r => new SysctlSetting(SysctlName.Of("net", r.Item1), r.Item2)).ToArray();
                Open().Apply(wanted);
                foreach (string name in names)
                {
                    Kernel($"net/{name}").ShouldBe(wanted.FirstOrDefault(w => w.Name == SysctlName.Of("net", name))?.Value ?? "7");
                }
            }

            Open().Restore();
            names.Select(n => Kernel($"net/{n}")).ShouldAllBe(v => v == "7");
        }).QuickCheckThrowOnFailure();
    }

    [Theory]
    [InlineData("..")]
    [InlineData("")]
    [InlineData("a/b")]
    public void A_name_cannot_leave_its_place(string part) =>
        Should.Throw<ArgumentException>(() => SysctlName.Of("net", "ipv4", "conf", part, "rp_filter"));

    [Fact]
    public void A_dot_in_an_interface_name_is_written_as_sysctl_does() =>
        SysctlName.Of("net", "ipv4", "conf", "eth0.100", "rp_filter").ToString().ShouldBe("net.ipv4.conf.eth0/100.rp_filter");

    private HostSysctls Open() => new(OpenJournal(), new SysctlFiles(Root));

    private HostJournal OpenJournal() => HostJournal.Open(State, "here");

    // Values keep their length in these tests: a file, unlike a setting, keeps what a shorter value does not overwrite.
    private void Kernel(string path, string value)
    {
        string file = Path.Combine(Root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, value);
    }

    // Compared as the kernel would print it: its own line end belongs to it, not to the value.
    private string Kernel(string path) => File.ReadAllText(Path.Combine(Root, path)).Split('\n')[0].Replace('\t', ' ');
}
