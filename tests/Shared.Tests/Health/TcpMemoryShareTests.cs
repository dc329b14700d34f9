using Aggregator.Health;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Health;

public sealed class TcpMemoryShareTests
{
    [Theory]
    // 24 GB: the mark is at 1.5 GB.
    [InlineData(0, 383_868L, 0)]
    [InlineData(130_000, 383_868L, 0)]
    [InlineData(160_000, 383_868L, 8_175_104)]
    [InlineData(191_000, 383_868L, 239_104)]
    [InlineData(300_000, 383_868L, 128 * 1024)]
    // 1 GB: at 64 MB.
    [InlineData(0, 16_384L, 2 << 20)]
    [InlineData(7_000, 16_384L, 305_152)]
    public void Less_is_left_for_one_the_more_all_hold(long usedPages, long markPages, int bytes) =>
        TcpMemoryShare.Of(new TcpMemoryFigures(usedPages, markPages, markPages * 3 / 2), 4096).ShouldBe(bytes);

    [Fact]
    public void What_is_not_known_bounds_nothing() => TcpMemoryShare.Of(default, 4096).ShouldBe(0);

    [Fact]
    public void It_is_read_from_the_host_and_not_at_each_asking()
    {
        using var root = new HostRoot();
        var time = new SteppedTime();
        root.With("/proc/sys/net/ipv4/tcp_mem", "12288\t16384\t24576\n");
        root.With("/proc/net/sockstat", "sockets: used 5\nTCP: inuse 1 orphan 0 tw 0 alloc 61 mem 0\n");
        var share = new TcpMemoryShare(root.Files, time);
        share.ReceiveBufferBytes().ShouldBe(2 << 20);
        root.With("/proc/net/sockstat", "sockets: used 5\nTCP: inuse 1 orphan 0 tw 0 alloc 61 mem 8192\n");
        share.ReceiveBufferBytes().ShouldBe(2 << 20);
        time.Pass(TimeSpan.FromSeconds(1));
        share.ReceiveBufferBytes().ShouldBe(128 * 1024);
    }
}
