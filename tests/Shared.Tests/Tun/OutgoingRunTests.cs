using System.Net;
using Aggregator.Packets;
using Aggregator.Shared.Tests.Packets;
using Aggregator.Tun;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Tun;

public sealed class OutgoingRunTests
{
    private static readonly IPAddress _client = IPAddress.Parse("fd00::2");
    private static readonly IPAddress _server = IPAddress.Parse("2001:db8::7");

    /// <summary>Whatever comes in whatever turn: each flow's packets come out as they were and in their order, with their flow's slot and class.</summary>
    [Fact]
    public void Flows_keep_their_packets_and_their_order() => Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), kinds =>
    {
        var path = new Path();
        var run = new OutgoingRun();
        var sent = new Dictionary<PacketFlow, List<byte[]>>();
        byte number = 0;
        foreach (byte kind in kinds)
        {
            var flow = new PacketFlow(kind & 1, (kind & 2) == 0 ? PacketClass.Default : PacketClass.Bulk, (byte)(kind & 1));
            byte[] packet = TestPackets.Udp(_client, _server, (ushort)(5000 + (kind & 1)), 9000, (kind & 12) == 12 ? 40 : 64, number++);
            Add(run, packet, flow, path);
            (sent.TryGetValue(flow, out var list) ? list : sent[flow] = []).Add(packet);
        }

        run.Flush();
        return sent.All(f => path.Of(f.Key).Zip(f.Value).All(p => p.First.SequenceEqual(p.Second)) && path.Of(f.Key).Count == f.Value.Count);
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void What_comes_in_a_row_goes_as_one()
    {
        var path = new Path();
        var run = new OutgoingRun();
        var flow = new PacketFlow(7, PacketClass.Default, 1);
        for (int i = 0; i < 64; i++)
        {
            Add(run, TestPackets.Udp(_client, _server, 5000, 9000, 64, (byte)i), flow, path);
        }

        run.Flush();
        path.Sends.ShouldBe(1);
        path.Of(flow).Count.ShouldBe(64);
    }

    [Fact]
    public void Real_time_and_large_packets_and_others_than_UDP_are_not_its()
    {
        static bool Takes(byte[] bytes, PacketClass of)
        {
            PacketInfo.TryRead(bytes, out var info).ShouldBeTrue();
            return OutgoingRun.Takes(new Packet(bytes, 0, info, default), new PacketFlow(1, of, 1));
        }

        Takes(TestPackets.Udp(_client, _server, 1, 2, 64), PacketClass.Default).ShouldBeTrue();
        Takes(TestPackets.Udp(_client, _server, 1, 2, 64), PacketClass.RealTime).ShouldBeFalse();
        Takes(TestPackets.Udp(_client, _server, 1, 2, 1200), PacketClass.Default).ShouldBeFalse();
        Takes(TestPackets.Tcp(_client, _server, 1, 0x10, []), PacketClass.Default).ShouldBeFalse();
    }

    [Fact]
    public void Nothing_is_allocated_in_steady_state()
    {
        var path = new Path { Keeps = false };
        var run = new OutgoingRun();
        byte[] bytes = TestPackets.Udp(_client, _server, 5000, 9000, 64);
        PacketInfo.TryRead(bytes, out var info).ShouldBeTrue();
        var packet = new Packet(bytes, 0, info, default);
        void Round()
        {
            for (int i = 0; i < 1000; i++)
            {
                run.Add(packet, new PacketFlow(1, PacketClass.Default, 1), path);
            }

            run.Flush();
        }

        Round();
        long before = GC.GetAllocatedBytesForCurrentThread();
        Round();
        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBe(0);
    }

    private static void Add(OutgoingRun run, byte[] bytes, in PacketFlow flow, Path path)
    {
        PacketInfo.TryRead(bytes, out var info).ShouldBeTrue();
        run.Add(new Packet(bytes, 0, info, default), flow, path);
    }

    private sealed class Path : IPacketPath
    {
        private readonly Dictionary<PacketFlow, Cutter> _flows = [];

        internal bool Keeps { get; init; } = true;

        internal int Sends { get; private set; }

        public bool IsOpen => true;

        public bool IsBusy => false;

        public void Send(in Packet packet, in PacketFlow flow)
        {
            Sends++;
            if (Keeps)
            {
                (_flows.TryGetValue(flow, out var cutter) ? cutter : _flows[flow] = new Cutter()).Deliver(packet.Bytes, packet.Meta);
            }

            packet.Return();
        }

        public void Flush()
        {
        }

        internal List<byte[]> Of(PacketFlow flow) => _flows.TryGetValue(flow, out var cutter) ? cutter.Packets : [];
    }
}
