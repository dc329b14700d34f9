using System.Net;
using System.Runtime.InteropServices;
using Aggregator.Gateway.Links;
using Aggregator.Interop;
using Aggregator.Mptcp;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Links;

public sealed class SeenConnectionTests
{
    [Fact]
    public void Only_what_moved_since_the_look_before_counts_as_progress_of_now()
    {
        var seen = new SeenConnection();
        seen.Progress(Subflow(1, received: 9_000, acknowledged: 9_000), 7, out bool any).ShouldBe((0, 0));
        any.ShouldBeFalse("what it moved before it was first seen says nothing");
        seen.Keep([Subflow(1, 9_000, 9_000)], 7);

        seen.Progress(Subflow(1, received: 9_500, acknowledged: 9_100), 8, out any).ShouldBe((600, 100));
        any.ShouldBeTrue();
        seen.Progress(Subflow(2, received: 9_500, acknowledged: 9_100), 8, out any).ShouldBe((0, 0), "another subflow");
        seen.Keep([Subflow(1, 9_500, 9_100)], 8);

        // Its turn came again only a second later, and the line may be dead since.
        seen.Progress(Subflow(1, received: 900_000, acknowledged: 900_000), 28, out any).ShouldBe((0, 0));
        any.ShouldBeTrue("it is looked at each time from now on");
        seen.Keep([Subflow(1, 900_000, 900_000)], 28);
        seen.Progress(Subflow(1, received: 900_000, acknowledged: 900_001), 29, out _).ShouldBe((1, 1));
    }

    [Fact]
    public void What_is_sent_again_or_comes_out_of_order_since_the_look_before_is_amiss()
    {
        var seen = new SeenConnection();
        seen.Keep([Lossy(1000, 2000, 50, 60)], 7);
        seen.Losses(Lossy(1010, 2030, 53, 64), 8).ShouldBe((40, 7));
        seen.Losses(Lossy(1010, 2030, 53, 64), 9).ShouldBe((0, 0), "it was not looked at then");

        static MptcpSubflow Lossy(uint sent, uint came, uint again, uint outOfOrder) => Of(1, new Libc.tcp_info
        {
            tcpi_data_segs_out = sent,
            tcpi_data_segs_in = came,
            tcpi_total_retrans = again,
            tcpi_rcv_ooopack = outOfOrder,
        });
    }

    private static MptcpSubflow Subflow(int port, ulong received, ulong acknowledged) =>
        Of(port, new Libc.tcp_info { tcpi_bytes_received = received, tcpi_bytes_acked = acknowledged });

    private static MptcpSubflow Of(int port, Libc.tcp_info raw)
    {
        // Read from the kernel only, otherwise.
        TcpInfo tcp = MemoryMarshal.Cast<Libc.tcp_info, TcpInfo>(new Span<Libc.tcp_info>(ref raw))[0];
        return new MptcpSubflow(
            null,
            SubflowAddress.From(new IPEndPoint(IPAddress.Parse("10.11.1.2"), port)),
            SubflowAddress.From(new IPEndPoint(IPAddress.Parse("198.51.100.2"), 7443)),
            tcp);
    }
}
