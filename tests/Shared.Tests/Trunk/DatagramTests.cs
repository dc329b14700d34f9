using System.Buffers.Binary;
using System.Net;
using Aggregator.Packets;
using Aggregator.Shared.Tests.Packets;
using Aggregator.Trunk;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Trunk;

/// <summary>Datagrams of the trunk: queue, order at the receiver, and whole sessions over real connections.</summary>
public sealed class DatagramTests
{
    private static readonly IPAddress Client = IPAddress.Parse("192.168.77.2");
    private static readonly IPAddress Other = IPAddress.Parse("192.168.77.3");
    private static readonly IPAddress Server = IPAddress.Parse("203.0.113.9");

    /// <summary>Packets of a flow over lanes of different delay, some lost: each goes on once, in order, and none is waited for longer than the bound.</summary>
    [Fact]
    public void Order_is_restored_within_the_bound() => Prop.ForAll(
        Gen.Choose(1, 10_000).ToArbitrary(),
        seed =>
        {
            var random = new Random(seed);
            var seen = new Seen();
            var receiver = new DatagramReceiver { Sink = seen };
            double[] delaysMs = [5, 30 + random.Next(100)];
            double loss = random.Next(3) * 0.01;
            var arrivals = new List<(double AtUs, uint Lane, uint Sequence, ushort SentMs)>();
            for (uint i = 0; i < 400; i++)
            {
                double sentUs = 1_000_000 + (i * 700);
                uint lane = (uint)random.Next(2);
                if (random.NextDouble() >= loss)
                {
                    arrivals.Add((sentUs + (delaysMs[lane] * 1000), lane + 1, i, (ushort)(sentUs / 1000)));
                }
            }

            double clock = 0;
            foreach (var (atUs, lane, sequence, sentMs) in arrivals.OrderBy(a => a.AtUs))
            {
                for (; clock < atUs; clock += 1000)
                {
                    seen.NowUs = (long)clock;
                    receiver.Tick((long)clock);
                }

                seen.NowUs = (long)atUs;
                Accept(receiver, lane, 7, sequence, sentMs, (long)atUs, behindUs: lane == 1 ? 1000 * (delaysMs[1] - delaysMs[0]) : 0);
            }

            for (; receiver.IsHolding; clock += 1000)
            {
                seen.NowUs = (long)clock;
                receiver.Tick((long)clock);
            }

            seen.Numbers.ShouldBe(arrivals.Select(a => a.Sequence).Order());
            // The hint is rounded up to a power of two.
            double bound = (2 * delaysMs[1] * 1000) + DatagramReceiver.LatenessUs + 3000;
            foreach (var (number, atUs) in seen.Numbers.Zip(seen.Times))
            {
                ((double)(atUs - (1_000_000 + (number * 700)))).ShouldBeLessThan(bound);
            }
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void A_real_time_packet_waits_for_nobody_and_comes_once()
    {
        var seen = new Seen();
        var receiver = new DatagramReceiver { Sink = seen };
        uint[] order = [0, 0, 2, 1, 2, 1, 5, 5];
        foreach (uint sequence in order)
        {
            Accept(receiver, 1, 3, sequence, 0, 1000, realTime: true);
        }

        seen.Numbers.ShouldBe([0u, 2u, 1u, 5u]);
        receiver.Counts.Duplicates.ShouldBe(4);
        Accept(receiver, 2, 3, 6, 0, 1000);
        seen.Numbers[^1].ShouldBe(6u);
    }

    [Fact]
    public void Sequence_numbers_wrap()
    {
        var seen = new Seen();
        var receiver = new DatagramReceiver { Sink = seen };
        Accept(receiver, 1, 3, int.MaxValue, 0, 1000, realTime: true);
        Accept(receiver, 1, 3, uint.MaxValue - 1, 0, 1000, realTime: true);
        Accept(receiver, 1, 3, 0, 0, 1000);
        Accept(receiver, 1, 3, uint.MaxValue, 0, 1000);
        Accept(receiver, 1, 3, 1, 0, 1000);
        seen.Numbers.ShouldBe([int.MaxValue, uint.MaxValue - 1, uint.MaxValue, 0u, 1u]);
    }

    /// <summary>Any frames in any order: no exception, memory within its bound, and nothing held for ever.</summary>
    [Fact]
    public void Any_frames_are_survived() => Prop.ForAll(
        Gen.Choose(1, 1_000_000).ToArbitrary(),
        seed =>
        {
            var random = new Random(seed);
            var seen = new Seen();
            var receiver = new DatagramReceiver { Sink = seen };
            long now = 1000;
            for (int i = 0; i < 500; i++)
            {
                now += random.Next(3000);
                uint near = (uint)random.Next(200);
                uint sequence = random.Next(4) switch { 0 => (uint)random.NextInt64(), 1 => near * 97, _ => near };
                var frame = new TrunkFrame(
                    TrunkFrameType.Datagram,
                    (byte)random.Next(16),
                    60,
                    (uint)random.Next(random.Next(2) == 0 ? 2 : 5000),
                    (long)(((ulong)sequence << 32) | ((ulong)(ushort)random.Next(65_536) << 16) | (random.Next(2) == 0 ? 0u : 1400u)));
                receiver.Accept((uint)random.Next(100), frame, new byte[60], now);
                receiver.Tick(now);
                receiver.HeldBytes.ShouldBeLessThanOrEqualTo(DatagramReceiver.MaxHeldBytes + 60);
            }

            receiver.Tick(now + DatagramReceiver.MaxWaitUs + 1);
            receiver.IsHolding.ShouldBeFalse();
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void The_oldest_of_the_greediest_is_dropped_first_and_the_others_have_their_turn()
    {
        var queue = new DatagramQueue();
        for (int i = 0; i < 1000; i++)
        {
            Enqueue(queue, Client, i, 1400, slot: 1, client: 1, PacketClass.Default, nowUs: i);
        }

        for (int i = 0; i < 10; i++)
        {
            Enqueue(queue, Other, i, 1400, slot: 2, client: 2, PacketClass.Default, nowUs: 1000);
        }

        queue.DroppedFull.ShouldBeGreaterThan(800);
        var took = new List<(int Client, int Number)>();
        lock (queue.Gate)
        {
            while (queue.TryHead(PacketClass.Default, 2000, out int client))
            {
                var packet = queue.Head(PacketClass.Default, client).Packet;
                took.Add((client, Number(packet.Bytes)));
                queue.Sent(PacketClass.Default, client, packet.Length, whole: true);
            }
        }

        took.Where(t => t.Client == 2).Select(t => t.Number).ShouldBe(Enumerable.Range(0, 10), "the small one lost nothing");
        took.FindLastIndex(t => t.Client == 2).ShouldBeLessThan(70, "and waited for a turn of the other at most");
        int[] greedy = [.. took.Where(t => t.Client == 1).Select(t => t.Number)];
        greedy.ShouldBe(greedy.Order());
        greedy[^1].ShouldBe(999, "the newest are there");
    }

    [Fact]
    public void What_is_too_old_is_not_sent()
    {
        var queue = new DatagramQueue();
        Enqueue(queue, Client, 1, 100, 1, 1, PacketClass.RealTime, 0);
        Enqueue(queue, Client, 2, 100, 1, 1, PacketClass.RealTime, 90_000);
        queue.Count.ShouldBe(2);
        lock (queue.Gate)
        {
            queue.TryHead(PacketClass.RealTime, 100_000, out int client).ShouldBeTrue();
            Number(queue.Head(PacketClass.RealTime, client).Packet.Bytes).ShouldBe(2);
        }

        queue.DroppedOld.ShouldBe(1);
        queue.Count.ShouldBe(1);
    }

    /// <summary>A flow that is found to be bulk while some of it waits: every fourth turn is bulk's, which would overtake them.</summary>
    [Fact]
    public void A_flow_keeps_its_order_when_its_class_changes()
    {
        var queue = new DatagramQueue();
        for (int i = 0; i < 10; i++)
        {
            Enqueue(queue, Client, i, 1000, slot: 1, client: 1, PacketClass.Default, nowUs: i);
            Enqueue(queue, Client, 100 + i, 1000, slot: 2, client: 1, PacketClass.Default, nowUs: i);
            Enqueue(queue, Other, 200 + i, 1000, slot: 3, client: 2, PacketClass.Bulk, nowUs: i);
        }

        for (int i = 10; i < 20; i++)
        {
            Enqueue(queue, Client, i, 1000, slot: 1, client: 1, PacketClass.Bulk, nowUs: i);
        }

        // And back: what waits first goes first.
        Enqueue(queue, Client, 20, 1000, slot: 1, client: 1, PacketClass.Default, nowUs: 20);
        Take(PacketClass.Default).ShouldBe(Enumerable.Range(100, 10), "the client's other flow is where it was");
        int[] bulk = [.. Take(PacketClass.Bulk)];
        bulk.Where(n => n < 100).ShouldBe(Enumerable.Range(0, 21));
        bulk.Where(n => n >= 200).ShouldBe(Enumerable.Range(200, 10));
        queue.Count.ShouldBe(0);
        queue.Bytes.ShouldBe(0);

        List<int> Take(PacketClass of)
        {
            var took = new List<int>();
            lock (queue.Gate)
            {
                while (queue.TryHead(of, 100, out int client))
                {
                    var packet = queue.Head(of, client).Packet;
                    took.Add(Number(packet.Bytes));
                    queue.Sent(of, client, packet.Length, whole: true);
                }
            }

            return took;
        }
    }

    [Fact]
    public void A_flow_that_calls_itself_real_time_and_floods_is_not()
    {
        var queue = new DatagramQueue();
        for (int i = 0; i < 500; i++)
        {
            Enqueue(queue, Client, i, 1000, 1, 1, PacketClass.RealTime, i * 10);
        }

        lock (queue.Gate)
        {
            queue.TryHead(PacketClass.Default, 5000, out _).ShouldBeTrue();
        }
    }

    /// <summary>Over two real connections, from thousands of packets of several flows each comes once and in order, super-packets whole.</summary>
    [Fact]
    public async Task Packets_cross_a_session_in_order()
    {
        await using var pair = new TrunkPair();
        var seen = new Seen();
        pair.Vps.DatagramReceiver.Sink = seen;
        await pair.AddLaneAsync("one");
        await pair.AddLaneAsync("two");
        IPacketPath path = pair.Gateway;
        const int Count = 3000;
        for (int i = 0; i < Count; i++)
        {
            path.Send(Make(Client, i, 1200), new PacketFlow(5, PacketClass.Default, 1));
            if (i % 20 == 19)
            {
                path.Flush();
                while (pair.Gateway.SampleDatagrams().Waiting > 0)
                {
                    await Task.Delay(1);
                }
            }
        }

        for (int waits = 0; waits < 4000 && seen.Count + pair.Gateway.SampleDatagrams().Dropped < Count; waits++)
        {
            await Task.Delay(5);
        }

        // On a machine that stands still for as long as a packet may wait, some are dropped; the others are in order all the same.
        uint[] numbers = seen.Numbers;
        numbers.ShouldBe(numbers.Distinct().Order());
        (numbers.Length + pair.Gateway.SampleDatagrams().Dropped).ShouldBe(Count);
        numbers.Length.ShouldBeGreaterThan(Count / 2);
    }

    [Fact]
    public async Task A_super_packet_crosses_whole_on_quick_lanes()
    {
        await using var pair = new TrunkPair();
        var seen = new Seen();
        pair.Vps.DatagramReceiver.Sink = seen;
        await pair.AddLaneAsync();

        // What a lane can do is known when it has done something.
        var (stream, vps) = await pair.OpenAsync();
        byte[] bulk = new byte[1 << 20];
        for (int i = 0; i < 30; i++)
        {
            await stream.WriteAsync(bulk, default);
            for (int read = 0; read < bulk.Length;)
            {
                read += await vps.ReadAsync(new byte[bulk.Length - read], default);
            }
        }

        byte[] super = TestPackets.Partial(TestPackets.Tcp(Client, Server, 1, 0x10, new byte[60_000]));
        PacketInfo.TryRead(super, out var info).ShouldBeTrue();
        var meta = new PacketMeta(GsoKind.Tcp, 1448, true);
        byte[] buffer = PacketPool.Shared.Rent(super.Length);
        super.CopyTo(buffer, 0);
        IPacketPath path = pair.Gateway;
        path.Send(new Packet(buffer, 0, info, meta), new PacketFlow(5, PacketClass.Default, 1));
        path.Flush();
        for (int waits = 0; waits < 4000 && seen.Bytes < super.Length; waits++)
        {
            await Task.Delay(5);
        }

        seen.Metas.ShouldAllBe(m => m.IsPartial);
        seen.Metas.Count.ShouldBeLessThanOrEqualTo(3);
        seen.Metas[0].SegmentBytes.ShouldBe((ushort)1448);
    }

    private static void Accept(DatagramReceiver receiver, uint lane, int slot, uint sequence, ushort sentMs, long nowUs, bool realTime = false, double behindUs = 0)
    {
        byte[] packet = TestPackets.Udp(Client, Server, 1, 2, 32);
        BinaryPrimitives.WriteUInt32BigEndian(packet.AsSpan(28), sequence);
        var frame = new DatagramFrame(slot, sequence, sentMs, realTime, default, DatagramFrame.ToBehind(behindUs)).ToFrame(packet.Length);
        receiver.Accept(lane, frame, packet, nowUs);
    }

    private static void Enqueue(DatagramQueue queue, IPAddress from, int number, int bytes, int slot, byte client, PacketClass of, long nowUs) =>
        queue.Enqueue(Make(from, number, bytes), new PacketFlow(slot, of, client), nowUs);

    private static Packet Make(IPAddress from, int number, int bytes)
    {
        byte[] packet = TestPackets.Udp(from, Server, 1, 2, bytes);
        BinaryPrimitives.WriteUInt32BigEndian(packet.AsSpan(28), (uint)number);
        PacketInfo.TryRead(packet, out var info);
        byte[] buffer = PacketPool.Shared.Rent(packet.Length);
        packet.CopyTo(buffer, 0);
        return new Packet(buffer, 0, info, default);
    }

    private static int Number(ReadOnlySpan<byte> packet) => (int)BinaryPrimitives.ReadUInt32BigEndian(packet[28..]);

    private sealed class Seen : IPacketSink
    {
        private readonly Lock _lock = new();
        private readonly List<uint> _numbers = [];

        internal long NowUs { get; set; }

        internal List<long> Times { get; } = [];

        internal List<PacketMeta> Metas { get; } = [];

        internal long Bytes { get; private set; }

        internal int Count
        {
            get
            {
                lock (_lock)
                {
                    return _numbers.Count;
                }
            }
        }

        internal uint[] Numbers
        {
            get
            {
                lock (_lock)
                {
                    return [.. _numbers];
                }
            }
        }

        public void Deliver(ReadOnlySpan<byte> packet, in PacketMeta meta)
        {
            lock (_lock)
            {
                _numbers.Add(BinaryPrimitives.ReadUInt32BigEndian(packet[28..]));
                Times.Add(NowUs);
                Metas.Add(meta);
                Bytes += packet.Length;
            }
        }
    }
}
