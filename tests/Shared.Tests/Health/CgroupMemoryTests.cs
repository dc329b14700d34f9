using Aggregator.Health;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Health;

public sealed class CgroupMemoryTests
{
    private const long Mebibyte = 1 << 20;

    [Fact]
    public void Of_version_1_the_lower_limit_counts_and_unused_file_pages_are_free()
    {
        using var host = HostRoot.Usual().WithVersion1("268435456\n", "209715200\n", "cache 9\ntotal_inactive_file 104857600\n");
        MemoryFigures.Read(host.Files).ShouldBe(new MemoryFigures(256 * Mebibyte, 156 * Mebibyte, 2_048_000_000, 256 * Mebibyte));
    }

    [Fact]
    public void A_limit_above_the_hosts_memory_is_none()
    {
        using var host = HostRoot.Usual().WithVersion1("4294967296\n", "1\n", "");
        MemoryFigures.Read(host.Files).ShouldBe(new MemoryFigures(2_048_000_000, 1_536_000_000, 2_048_000_000, null));
    }

    [Fact]
    public void What_the_host_has_left_bounds_what_the_group_may_take()
    {
        using var host = HostRoot.Usual()
            .With("/proc/meminfo", "MemTotal: 2000000 kB\nMemAvailable: 10000 kB\n")
            .WithVersion1("268435456\n", "0\n", "");
        MemoryFigures.Read(host.Files).AvailableBytes.ShouldBe(10_240_000);
    }

    [Theory]
    [InlineData("9223372036854771712\n")]
    [InlineData("-1\n")]
    [InlineData("")]
    [InlineData("many\n")]
    public void What_is_no_limit_is_none(string limit)
    {
        using var host = HostRoot.Usual().WithVersion1(limit, "5\n", "");
        CgroupMemory.Read(host.Files).ShouldBeNull();
    }

    [Fact]
    public void A_use_that_is_not_told_is_not_known()
    {
        using var host = HostRoot.Usual().WithVersion1("268435456\n", "", "");
        MemoryFigures.Read(host.Files).ShouldBe(new MemoryFigures(256 * Mebibyte, null, 2_048_000_000, 256 * Mebibyte));
    }

    [Fact]
    public void Of_version_2_the_lowest_on_the_way_up_counts()
    {
        using var host = HostRoot.Usual()
            .With("/proc/self/cgroup", "0::/system.slice/vps.service\n")
            .With("/proc/self/mountinfo", "41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
            .With("/sys/fs/cgroup/system.slice/vps.service/memory.max", "max\n")
            .With("/sys/fs/cgroup/system.slice/vps.service/memory.high", "805306368\n")
            .With("/sys/fs/cgroup/system.slice/vps.service/memory.current", "100\n")
            .With("/sys/fs/cgroup/system.slice/memory.max", "536870912\n")
            .With("/sys/fs/cgroup/system.slice/memory.current", "536870912\n")
            .With("/sys/fs/cgroup/system.slice/memory.stat", "anon 1\ninactive_file 1048576\n");
        CgroupMemory.Read(host.Files).ShouldBe(new CgroupMemory(512 * Mebibyte, Mebibyte));
    }

    [Theory]
    // A container sees its group as the mount's root, with or without a cgroup namespace.
    [InlineData("4:memory:/docker/abc\n", "1 2 0:3 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n", "/sys/fs/cgroup/memory")]
    [InlineData("4:memory:/\n", "1 2 0:3 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n", "/sys/fs/cgroup/memory")]
    [InlineData("4:memory:/a/b\n", "1 2 0:3 /a /m\\040x rw - cgroup cgroup rw,memory\n", "/m x/b|/m x")]
    [InlineData("4:memory:/../../other\n", "1 2 0:3 / /m rw - cgroup cgroup rw,memory\n", "/m")]
    [InlineData("4:memory:/a\n", "1 2 0:3 /elsewhere /m rw - cgroup cgroup rw,memory\n", "/m")]
    [InlineData("4:cpu:/a\n", "1 2 0:3 / /m rw - cgroup cgroup rw,memory\n", "")]
    [InlineData("4:memory:/a\n", "1 2 0:3 / /m rw - cgroup cgroup rw,cpu\n", "")]
    [InlineData("4:memory\n4:memory:a", "1 2 0:3 / /m rw - cgroup\n - \n1 2", "")]
    public void Where_the_group_is(string groups, string mounts, string expected) =>
        string.Join('|', CgroupTree.Directories(groups, mounts, "memory")).ShouldBe(expected);

    [Fact]
    public void No_path_leaves_the_mount()
    {
        var parts = Gen.ArrayOf(Gen.Elements("..", ".", "a", "b", "", "/", "\\056\\056", "\\0", "memory")).ToArbitrary();
        Prop.ForAll(parts, parts, (group, root) =>
        {
            var found = CgroupTree.Directories(
                $"4:memory:/{string.Join('/', group)}\n", $"1 2 0:3 /{string.Concat(root)} /m rw - cgroup cgroup rw,memory\n", "memory");
            return found.All(d => d.StartsWith("/m", StringComparison.Ordinal) && !d.Split('/').Contains(".."));
        }).QuickCheckThrowOnFailure();
    }
}
