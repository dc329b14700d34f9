using Aggregator.Datagrams;
using Aggregator.Packets;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;
using Line = Aggregator.Shared.Tests.Datagrams.SimulatedLines.Line;

namespace Aggregator.Shared.Tests.Datagrams;

/// <summary>Larger packets that are not real-time over the UDP lanes, in simulated time.</summary>
public sealed class UdpBulkTests
{
    /// <summary>Sealed, with IP and UDP, 1,500.</summary>
    private const int PacketBytes = 1428;

    [Fact]
    public void A_flow_that_needs_most_of_unequal_lines_comes_whole_in_order_and_in_time()
    {
        using var lines = Unequal(11);
        lines.Run(3000);
        var bulk = new Bulk(lines, perMs: 2);
        lines.Run(4000, bulk.Send);
        lines.Run(1000);
        lines.AtVps.Packets.Clear();
        var measured = new Bulk(lines, perMs: 2);
        lines.Run(8000, measured.Send);
        lines.Run(1000);
        var numbers = lines.AtVps.Packets.ConvertAll(p => p.Number);
        numbers.ShouldBe(numbers.Order());
        numbers.Count.ShouldBeInRange((int)(16_000 * 0.99), 16_000);
        double[] took = [.. lines.AtVps.Packets.Select(p => p.AtMs - measured.SentMs[(int)p.Number]).Order().Select(t => (double)t)];
        took[(int)(took.Length * 0.99)].ShouldBeLessThanOrEqualTo(60 + 50);
        measured.Refused.ShouldBe(0);
        lines.Gateway.Sample()[3].SentBytes.ShouldBeLessThan(100_000, "the satellite is not needed");
    }

    [Fact]
    public void The_first_flow_of_all_waits_a_moment_until_its_lines_are_known_and_loses_little()
    {
        using var lines = new SimulatedLines(
            RealTimePolicy.Best, 16,
            new Line { DelayMs = 10, Mbps = 200 }, new Line { DelayMs = 30, Mbps = 50 }, new Line { DelayMs = 60, Mbps = 30, Loss = 0.003 }, new Line { DelayMs = 300, Mbps = 20, Loss = 0.001 });
        lines.Run(3000);
        var bulk = new Bulk(lines, perMs: 20);
        lines.Run(2000, bulk.Send);
        lines.Run(1000);
        var numbers = lines.AtVps.Packets.ConvertAll(p => p.Number);
        numbers.ShouldBe(numbers.Order());
        lines.Gateway.Dropped.ShouldBeLessThan(500);
    }

    [Fact]
    public void More_than_the_lines_take_is_dropped_early_and_fills_no_queue()
    {
        using var lines = Unequal(12);
        lines.Run(3000);
        var bulk = new Bulk(lines, perMs: 4);
        lines.Run(10_000, bulk.Send);
        lines.Gateway.Dropped.ShouldBeGreaterThan(5_000);
        var lanes = lines.Gateway.Sample();
        lanes[0].RttMs!.Value.ShouldBeLessThan(20 + 60);
        lanes[1].RttMs!.Value.ShouldBeLessThan(60 + 60);
        lines.AtVps.Packets.Count.ShouldBeGreaterThan(10_000);
    }

    [Fact]
    public void A_line_that_goes_silent_costs_what_was_under_way_and_the_rest_goes_on()
    {
        using var lines = new SimulatedLines(RealTimePolicy.Best, 13, new Line { DelayMs = 10, Mbps = 20 }, new Line { DelayMs = 20, Mbps = 20 });
        lines.Run(3000);
        var bulk = new Bulk(lines, perMs: 1);
        lines.Run(4000, bulk.Send);
        lines.Lines[0].IsBlocked = true;
        lines.Run(4000, bulk.Send);
        lines.Run(1000);
        (8000 - lines.AtVps.Packets.Count).ShouldBeInRange(0, 800);
        lines.AtVps.Packets.Count(p => p.Number > 5000).ShouldBeGreaterThan(2800);
    }

    [Fact]
    public void A_line_is_given_long_datagrams_only_when_one_came_through()
    {
        // The second says 1,500 and loses what is that long, as a line behind a tunnel does.
        using var lines = new SimulatedLines(RealTimePolicy.Best, 14, new Line { DelayMs = 20 }, new Line { DelayMs = 5, LongestThroughBytes = 1440 });
        lines.Run(5000);
        var bulk = new Bulk(lines, perMs: 1);
        long before = lines.Gateway.Sample()[1].SentBytes;
        lines.Run(3000, bulk.Send);
        lines.Run(500);
        bulk.Refused.ShouldBe(0);
        lines.AtVps.Packets.Count.ShouldBe(3000);
        (lines.Gateway.Sample()[1].SentBytes - before).ShouldBeLessThan(100_000);
    }

    [Fact]
    public void Small_packets_and_those_that_no_line_takes_are_the_trunks()
    {
        using var lines = new SimulatedLines(RealTimePolicy.Best, 15, new Line { DelayMs = 20 });
        lines.Run(3000);
        Offer(lines.Gateway, 100, slot: 3).ShouldBeFalse();
        Offer(lines.Gateway, 1500, slot: 4).ShouldBeFalse();
        Offer(lines.Gateway, 1400, slot: 5).ShouldBeTrue();
        Offer(lines.Gateway, 1200, slot: 4).ShouldBeFalse("its long ones go over the trunk, and packets of a flow have one way");
    }

    [Fact]
    public void Any_bytes_are_a_header_or_not_and_what_is_read_writes_the_same() => Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), noise =>
    {
        byte[] bytes = [.. noise.Concat(new byte[30]).Take(noise.Length % 40)];
        if (bytes.Length > 12)
        {
            (bytes[0], bytes[12]) = (3, (byte)(bytes[12] & 15));
        }

        if (!UdpBulkHeader.TryRead(bytes, out var header))
        {
            return bytes.Length < UdpBulkHeader.Bytes || bytes[0] != 3 || bytes[1] >= UdpLanes.MaxLanes;
        }

        byte[] again = new byte[UdpBulkHeader.Bytes];
        header.Write(again);
        return again.AsSpan().SequenceEqual(bytes.AsSpan(0, UdpBulkHeader.Bytes))
            && UdpBulkHeader.WithLanes(header.FrameFlags, header.FlowLanes) == header.Flags;
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Cut_numbers_are_completed_from_what_is_near() => Prop.ForAll(ArbMap.Default.ArbFor<uint>(), ArbMap.Default.ArbFor<int>(), (number, difference) =>
    {
        uint known = number + (uint)(difference % 8_000_000);
        ulong lane = number + (1UL << 40);
        return UdpBulkHeader.CompleteFlow(number & 0xffffff, known) == number
            && UdpBulkHeader.Complete((uint)lane, lane + (ulong)(long)(difference / 2)) == lane;
    }).QuickCheckThrowOnFailure();

    private static SimulatedLines Unequal(int seed) => new(
        RealTimePolicy.Best,
        seed,
        new Line { DelayMs = 10, Mbps = 20 },
        new Line { DelayMs = 30, Mbps = 5 },
        new Line { DelayMs = 60, Mbps = 3, Loss = 0.003 },
        new Line { DelayMs = 300, Mbps = 2, Loss = 0.001 });

    private static bool Offer(UdpLanes lanes, int bytes, int slot)
    {
        var packet = SimulatedLines.Packet(0, bytes);
        if (lanes.TryQueue(packet, new PacketFlow(slot, PacketClass.Default, 1)))
        {
            return true;
        }

        packet.Return();
        return false;
    }

    /// <summary>Numbered packets of one flow, so many each millisecond.</summary>
    private sealed class Bulk(SimulatedLines lines, int perMs)
    {
        private uint _number;

        internal int Refused { get; private set; }

        internal List<long> SentMs { get; } = [];

        internal void Send(long nowMs)
        {
            for (int i = 0; i < perMs; i++)
            {
                SentMs.Add(nowMs);
                var packet = SimulatedLines.Packet(_number++, PacketBytes);
                if (!lines.Gateway.TryQueue(packet, new PacketFlow(7, PacketClass.Bulk, 1)))
                {
                    Refused++;
                    packet.Return();
                }
            }

            lines.Gateway.Flush();
        }
    }
}
