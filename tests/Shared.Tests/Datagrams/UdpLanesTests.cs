using Aggregator.Datagrams;
using Aggregator.Packets;
using Shouldly;
using Xunit;
using Line = Aggregator.Shared.Tests.Datagrams.SimulatedLines.Line;

namespace Aggregator.Shared.Tests.Datagrams;

public sealed class UdpLanesTests
{
    [Fact]
    public void Copies_make_two_percent_of_loss_on_every_line_next_to_nothing()
    {
        using var lines = new SimulatedLines(RealTimePolicy.Duplicate, 1, Lossy(10), Lossy(30), Lossy(60));
        lines.Run(3000);
        var refused = new List<uint>();
        lines.Run(200_000, lines.Call(lines.Gateway, refused));
        lines.Run(500);
        refused.ShouldBeEmpty();
        var numbers = lines.AtVps.Packets.ConvertAll(p => p.Number);
        numbers.Distinct().Count().ShouldBe(numbers.Count, "each copy but one is dropped");
        numbers.Count.ShouldBeGreaterThanOrEqualTo(9_990, "of 10,000");
        lines.Gateway.Sample().ShouldAllBe(l => l.LossOut > 0.003 && l.LossOut < 0.06);

        static Line Lossy(int ms) => new() { DelayMs = ms, JitterMs = 3, Loss = 0.02 };
    }

    [Fact]
    public void The_quickest_line_is_taken_and_left_within_300_ms_of_its_silence_and_taken_again()
    {
        using var lines = new SimulatedLines(RealTimePolicy.Best, 2, new Line { DelayMs = 10, JitterMs = 2 }, new Line { DelayMs = 30, JitterMs = 5 });
        lines.Run(3000);
        var refused = new List<uint>();
        var call = lines.Call(lines.Gateway, refused);
        lines.Run(10_000, call);
        lines.AtVps.Packets.Count.ShouldBeGreaterThan(490);
        lines.Gateway.Sample().Single(l => l.IsBest).Id.ShouldBe(0);
        lines.Gateway.Counts.Copies.ShouldBeLessThan(10);
        lines.Lines[0].IsBlocked = true;
        lines.Run(5000, call);
        lines.Gateway.Sample().Single(l => l.IsBest).Id.ShouldBe(1);
        lines.Lines[0].IsBlocked = false;
        lines.Run(5000, call);
        lines.Gateway.Sample().Single(l => l.IsBest).Id.ShouldBe(0);
        lines.Run(500);
        refused.ShouldBeEmpty();
        var came = lines.AtVps.Packets.Select(p => p.AtMs).Order().ToArray();
        came.Zip(came.Skip(1), (a, b) => b - a).Max().ShouldBeLessThan(300);
        lines.AtVps.Packets.Select(p => p.Number).Distinct().Count().ShouldBe(lines.AtVps.Packets.Count);
        (1000 - lines.AtVps.Packets.Count).ShouldBeLessThan(15, "packets lost");
    }

    [Fact]
    public void Of_copies_a_silent_line_costs_nothing()
    {
        using var lines = new SimulatedLines(RealTimePolicy.Duplicate, 3, new Line { DelayMs = 10 }, new Line { DelayMs = 30 }, new Line { DelayMs = 50 });
        lines.Run(3000);
        var refused = new List<uint>();
        var call = lines.Call(lines.Gateway, refused);
        lines.Run(4000, call);
        lines.Lines[0].IsBlocked = true;
        lines.Run(4000, call);
        lines.Run(500);
        refused.ShouldBeEmpty();
        lines.AtVps.Packets.Count.ShouldBe(400);
    }

    [Fact]
    public void Where_UDP_is_blocked_everywhere_the_trunk_is_left_to_it_until_it_works_again()
    {
        using var lines = new SimulatedLines(RealTimePolicy.Best, 4, new Line { DelayMs = 10 }, new Line { DelayMs = 20 });
        lines.Run(2000);
        lines.Gateway.IsWell.ShouldBeTrue();
        lines.Vps.IsWell.ShouldBeTrue();
        var refused = new List<uint>();
        var call = lines.Call(lines.Gateway, refused);
        lines.Run(4000, call);
        Array.ForEach(lines.Lines, l => l.IsBlocked = true);
        lines.Run(4000, call);
        lines.Gateway.IsWell.ShouldBeFalse();
        int whileBlocked = refused.Count;
        whileBlocked.ShouldBeGreaterThan(130, "all but those of the first moments");
        lines.Run(20_000);
        lines.Gateway.IsWell.ShouldBeFalse();
        Array.ForEach(lines.Lines, l => l.IsBlocked = false);
        lines.Run(5000);
        lines.Gateway.IsWell.ShouldBeTrue();
        lines.Vps.IsWell.ShouldBeTrue();
        lines.Run(1000, call);
        refused.Count.ShouldBe(whileBlocked);
    }

    [Fact]
    public void What_is_spread_over_unequal_lines_comes_in_order()
    {
        using var lines = new SimulatedLines(RealTimePolicy.Spread, 5, new Line { DelayMs = 10, JitterMs = 2 }, new Line { DelayMs = 35, JitterMs = 4 }, new Line { DelayMs = 80, JitterMs = 5 });
        lines.Run(3000);
        var refused = new List<uint>();
        lines.Run(20_000, lines.Call(lines.Gateway, refused, everyMs: 4));
        lines.Run(1000, null);
        refused.ShouldBeEmpty();
        var numbers = lines.AtVps.Packets.ConvertAll(p => p.Number);
        numbers.Count.ShouldBe(5000);
        numbers.ShouldBe(numbers.Order());
        var sent = lines.Gateway.Sample();
        sent.ShouldAllBe(l => l.SentBytes > 100_000);
    }

    [Fact]
    public void A_backup_is_used_while_nothing_else_is_well_and_the_VPS_knows()
    {
        using var lines = new SimulatedLines(RealTimePolicy.Best, 6, new Line { DelayMs = 40 }, new Line { DelayMs = 5, IsBackup = true });
        lines.Run(3000);
        var refused = new List<uint>();
        var there = lines.Call(lines.Gateway, refused);
        var back = lines.Call(lines.Vps, refused);
        lines.Run(4000, now => { there(now); back(now); });
        lines.Gateway.Sample().Single(l => l.IsBest).Id.ShouldBe(0);
        lines.Vps.Sample().Single(l => l.IsBest).Id.ShouldBe(0);
        lines.Lines[0].IsBlocked = true;
        lines.Run(3000, now => { there(now); back(now); });
        lines.Gateway.Sample().Single(l => l.IsBest).Id.ShouldBe(1);
        lines.Vps.Sample().Single(l => l.IsBest).Id.ShouldBe(1);
        refused.ShouldBeEmpty();
    }

    [Fact]
    public void Round_trips_losses_and_jitter_are_measured()
    {
        using var lines = new SimulatedLines(RealTimePolicy.Duplicate, 7, new Line { DelayMs = 20 }, new Line { DelayMs = 50, JitterMs = 30, Loss = 0.1 });
        lines.Run(3000);
        var refused = new List<uint>();
        lines.Run(60_000, lines.Call(lines.Gateway, refused));
        var lanes = lines.Gateway.Sample();
        lanes[0].RttMs!.Value.ShouldBeInRange(39, 45);
        lanes[0].LossOut!.Value.ShouldBeLessThan(0.001);
        lanes[0].JitterOutMs!.Value.ShouldBeLessThan(2);
        lanes[1].RttMs!.Value.ShouldBeInRange(105, 160);
        lanes[1].LossOut!.Value.ShouldBeInRange(0.04, 0.18);
        lanes[1].JitterOutMs!.Value.ShouldBeInRange(5, 20);
        var far = lines.Vps.Sample();
        far[1].LossIn!.Value.ShouldBeInRange(0.02, 0.2);
    }

    [Fact]
    public void What_comes_again_or_from_others_changes_nothing()
    {
        using var lines = new SimulatedLines(RealTimePolicy.Best, 8, new Line { DelayMs = 10 });
        lines.Run(2000);
        var refused = new List<uint>();
        lines.Run(1000, lines.Call(lines.Gateway, refused));
        lines.Run(100);
        int came = lines.AtVps.Packets.Count;
        byte[] scratch = new byte[UdpLanes.LongestDatagramBytes];
        var random = new Random(1);
        foreach (var (datagram, _) in lines.Wire.ToArray())
        {
            lines.Vps.Receive(datagram, scratch).ShouldBe(-1);
            byte[] spoiled = [.. datagram];
            spoiled[random.Next(spoiled.Length)] ^= (byte)(1 << random.Next(8));
            lines.Vps.Receive(spoiled, scratch).ShouldBe(-1);
            lines.Vps.Receive(datagram.AsSpan(0, random.Next(datagram.Length)), scratch).ShouldBe(-1);
        }

        lines.AtVps.Packets.Count.ShouldBe(came);
        lines.Vps.Counts.Malformed.ShouldBeGreaterThan(100);
        lines.Vps.IsWell.ShouldBeTrue();
    }

    [Fact]
    public void Too_large_too_much_and_super_packets_are_left_to_the_trunk()
    {
        using var lines = new SimulatedLines(RealTimePolicy.Best, 9, new Line { DelayMs = 10 });
        lines.Run(2000);
        var flow = new PacketFlow(1, PacketClass.RealTime, 9);
        Try(SimulatedLines.Packet(1, UdpLanes.MaxPacketBytes), flow).ShouldBeTrue();
        Try(SimulatedLines.Packet(1, UdpLanes.MaxPacketBytes + 1), flow).ShouldBeFalse();
        int taken = 0;
        while (Try(SimulatedLines.Packet(1, 1000), flow))
        {
            (++taken).ShouldBeLessThan(100, "a client has 64 KB at once and 4 Mbit/s");
        }

        Try(SimulatedLines.Packet(1, 1000), flow with { Client = 10 }).ShouldBeTrue("others go on");
        lines.Run(100);
        Try(SimulatedLines.Packet(1, 1000), flow).ShouldBeTrue();

        bool Try(Packet packet, PacketFlow of)
        {
            bool sent = lines.Gateway.TrySend(packet, of);
            packet.Return();
            return sent;
        }
    }

    [Fact]
    public void A_packet_costs_no_memory()
    {
        using var lanes = new UdpLanes(true, new UdpCipher(1, new byte[32], new byte[32]), RealTimePolicy.Duplicate, TimeProvider.System);
        using var far = new UdpLanes(false, new UdpCipher(1, new byte[32], new byte[32]), RealTimePolicy.Duplicate, TimeProvider.System);
        var pipe = new Pipe(far);
        lanes.SetOutlet(0, pipe, false);
        far.Receiver.Sink = pipe;
        var packet = SimulatedLines.Packet(1);
        Exchange(300);
        long least = long.MaxValue;
        // What is compiled anew meanwhile may allocate once.
        for (int i = 0; i < 20 && least > 0; i++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            Exchange(50);
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        pipe.Delivered.ShouldBeGreaterThan(50);
        least.ShouldBe(0);

        void Exchange(int count)
        {
            for (int i = 0; i < count; i++)
            {
                lanes.Tick();
                far.Tick();
                pipe.Back(lanes);
                lanes.TrySend(packet, new PacketFlow(i & 15, PacketClass.RealTime, (byte)i));
            }
        }
    }

    /// <summary>Hands a datagram to the other end at once; answers when asked for them.</summary>
    private sealed class Pipe(UdpLanes far) : IUdpPeerOutlet, IPacketSink
    {
        private readonly byte[] _scratch = new byte[UdpLanes.LongestDatagramBytes];
        private readonly Answers _answers = new();

        internal int Delivered { get; private set; }

        public int LongestBytes => 0;

        public System.Net.SocketAddress Address { get; } = new System.Net.IPEndPoint(1, 1).Serialize();

        public void Send(ReadOnlySpan<byte> datagram)
        {
            int lane = far.Receive(datagram, _scratch);
            if (lane >= 0)
            {
                far.SetOutlet(lane, _answers, false);
            }
        }

        public void Deliver(ReadOnlySpan<byte> packet, in PacketMeta meta) => Delivered++;

        internal void Back(UdpLanes to)
        {
            if (_answers.Length > 0)
            {
                to.Receive(_answers.Last.AsSpan(0, _answers.Length), _scratch);
                _answers.Length = 0;
            }
        }

        private sealed class Answers : IUdpOutlet
        {
            internal byte[] Last { get; } = new byte[UdpLanes.LongestDatagramBytes];

            internal int Length { get; set; }

            public int LongestBytes => 0;

            public void Send(ReadOnlySpan<byte> datagram)
            {
                datagram.CopyTo(Last);
                Length = datagram.Length;
            }
        }
    }
}
