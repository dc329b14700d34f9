using System.Net;
using Aggregator.Packets;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Packets;

/// <summary>What flows are taken for, and that a flood of them disturbs nobody.</summary>
public sealed class FlowTableTests
{
    private static readonly IPAddress Client = IPAddress.Parse("192.168.77.2");
    private static readonly IPAddress Server = IPAddress.Parse("203.0.113.9");
    private readonly FlowTable _table = new(PacketPolicy.Default, clientIsSource: true);

    [Theory]
    [InlineData(20_000, 160, "RealTime")] // a call
    [InlineData(15_625, 90, "RealTime")] // a game
    [InlineData(20_000, 1200, "Default")] // video
    [InlineData(1_000_000, 160, "Default")] // a keep-alive
    [InlineData(100, 1400, "Bulk")]
    public void A_flow_is_what_its_packets_look_like(int intervalUs, int payload, string expected)
    {
        byte[] packet = TestPackets.Udp(Client, Server, 5000, 6000, payload);
        PacketInfo.TryRead(packet, out var info);
        PacketClass last = default;
        int count = Math.Max(40, 3_000_000 / intervalUs);
        for (int i = 0; i < count; i++)
        {
            last = _table.Classify(packet, info, (long)i * intervalUs).Class;
        }

        last.ToString().ShouldBe(expected);
    }

    [Fact]
    public void A_call_is_real_time_from_its_first_packet_on()
    {
        byte[] call = TestPackets.Udp(Client, Server, 5005, 6000, 160);
        PacketInfo.TryRead(call, out var info);
        for (int i = 0; i < 100; i++)
        {
            _table.Classify(call, info, i * 20_000L).Class.ShouldBe(PacketClass.RealTime, $"packet {i}");
        }
    }

    [Fact]
    public void Small_packets_without_a_pace_are_soon_like_all_others()
    {
        byte[] flood = TestPackets.Udp(Client, Server, 5006, 6000, 64);
        PacketInfo.TryRead(flood, out var info);
        int first = 0;
        for (int i = 0; i < 1000; i++)
        {
            first += _table.Classify(flood, info, i * 100L).Class == PacketClass.RealTime ? 1 : 0;
        }

        first.ShouldBeLessThan(12);
    }

    [Fact]
    public void A_question_goes_first_and_a_ping_does_not()
    {
        byte[] dns = TestPackets.Udp(Client, Server, 5001, 53, 40);
        PacketInfo.TryRead(dns, out var info);
        _table.Classify(dns, info, 1).Class.ShouldBe(PacketClass.RealTime);
        byte[] ping = TestPackets.Ip(Client, Server, PacketInfo.Icmp, new byte[64]);
        PacketInfo.TryRead(ping, out info);
        for (int i = 0; i < 50; i++)
        {
            _table.Classify(ping, info, i * 100_000).Class.ShouldBe(PacketClass.Default);
        }
    }

    [Fact]
    public void Marks_and_rules_decide_before_observation()
    {
        byte[] packet = TestPackets.Udp(Client, Server, 5002, 9000, 1300);
        packet[1] = 46 << 2;
        PacketInfo.TryRead(packet, out var info);
        _table.Classify(packet, info, 1).Class.ShouldBe(PacketClass.RealTime);
        _table.Policy = new PacketPolicy([new PacketRule(PacketClass.Bulk, PacketInfo.Udp, 9000)]);
        _table.Classify(packet, info, 2).Class.ShouldBe(PacketClass.Bulk);
    }

    [Fact]
    public void A_flood_of_flows_leaves_a_steady_one_its_place()
    {
        byte[] call = TestPackets.Udp(Client, Server, 5003, 9000, 160);
        PacketInfo.TryRead(call, out var info);
        var random = new Random(1);
        int moved = 0;

        // Each has another key, and so other flows that meet in the call's place.
        for (int tables = 0; tables < 40; tables++)
        {
            var table = new FlowTable(PacketPolicy.Default, clientIsSource: true);
            int slot = table.Classify(call, info, 0).Slot;
            for (int i = 1; i < 50; i++)
            {
                for (int j = 0; j < 50; j++)
                {
                    byte[] other = TestPackets.Udp(
                        new IPAddress(random.NextInt64(1, uint.MaxValue)), Server, (ushort)random.Next(65_536), (ushort)random.Next(65_536), 20);
                    PacketInfo.TryRead(other, out var otherInfo);
                    table.Classify(other, otherInfo, (i * 20_000) + j).Slot.ShouldBeInRange(0, FlowTable.Slots - 1);
                }

                int now = table.Classify(call, info, i * 20_000).Slot;
                moved += now == slot ? 0 : 1;
                slot = now;
            }
        }

        moved.ShouldBe(0);
    }

    [Fact]
    public void Nothing_is_allocated_for_a_packet()
    {
        byte[] packet = TestPackets.Udp(Client, Server, 5004, 9000, 160);
        PacketInfo.TryRead(packet, out var info);
        _table.Classify(packet, info, 0);

        // What is compiled anew while it runs may allocate once; in steady state nothing does.
        long least = long.MaxValue;
        for (int batch = 0; batch < 5; batch++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 1; i <= 200; i++)
            {
                _table.Classify(packet, info, ((batch * 200) + i) * 1000);
            }

            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        least.ShouldBe(0);
    }
}
