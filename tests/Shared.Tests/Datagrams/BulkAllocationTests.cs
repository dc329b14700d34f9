using System.Net;
using Aggregator.Datagrams;
using Aggregator.Packets;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Datagrams;

/// <summary>A flow over two unequal lines, sender and receiver, on one thread and in a time of its own: what either allocates is seen.</summary>
public sealed class BulkAllocationTests
{
    private const int PacketBytes = 1428;
    private const int PerMs = 10;
    private const int Parts = 10;
    private const int PartMs = 1000;

    [Fact]
    public void A_spread_flow_of_large_packets_costs_no_memory()
    {
        using var rig = new Rig();
        rig.Run(3000, perMs: 0);
        rig.Run(3000, PerMs);
        (long carried, long held) = (rig.Delivered, rig.Vps.Receiver.Counts.Held);
        long least = long.MaxValue;
        long all = 0;
        for (int i = 0; i < Parts; i++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            rig.Run(PartMs, PerMs);
            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            least = Math.Min(least, allocated);
            all += allocated;
        }

        // It was the lanes that carried, both of them, and the receiver had to put in order.
        const int Sent = Parts * PartMs * PerMs;
        rig.Refused.ShouldBe(0);
        (rig.Delivered - carried).ShouldBeGreaterThan((int)(Sent * 0.95));
        (rig.Vps.Receiver.Counts.Held - held).ShouldBeGreaterThan(Sent / 100);
        rig.Gateway.Sample().Count(l => l.SentBytes > Sent * PacketBytes / 10).ShouldBe(2);
        least.ShouldBe(0);

        // A queue that grows to what it needs does so once.
        all.ShouldBeLessThan(Sent);
    }

    /// <summary>Both ends and the lines between them.</summary>
    private sealed class Rig : IPacketSink, IDisposable
    {
        private readonly Clock _clock = new();
        private readonly byte[] _scratch = new byte[UdpLanes.LongestDatagramBytes];
        private readonly Line[] _there;
        private readonly Line[] _back;
        private readonly Func<SocketAddress, IUdpOutlet> _open;
        private int _ms;

        internal Rig()
        {
            byte[] there = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];
            byte[] back = [.. Enumerable.Range(32, 32).Select(i => (byte)i)];
            Gateway = new UdpLanes(isGateway: true, new UdpCipher(7, there, back), RealTimePolicy.Best, _clock);
            Vps = new UdpLanes(isGateway: false, new UdpCipher(7, back, there), RealTimePolicy.Best, _clock);
            Vps.Receiver.Sink = this;
            _there = [new Line(_clock, 0, 70, 2_000), new Line(_clock, 1, 100, 10_000)];
            _back = [new Line(_clock, 0, 70, 2_000), new Line(_clock, 1, 100, 10_000)];
            _open = address => _back.First(l => l.Address.Equals(address));
            for (int i = 0; i < _there.Length; i++)
            {
                Gateway.SetOutlet(i, _there[i], isBackup: false);
            }
        }

        internal UdpLanes Gateway { get; }

        internal UdpLanes Vps { get; }

        internal long Delivered { get; private set; }

        internal long Refused { get; private set; }

        internal void Run(int ms, int perMs)
        {
            for (int i = 0; i < ms; i++)
            {
                for (int p = 0; p < perMs; p++)
                {
                    Send();
                }

                Gateway.Flush();
                if (++_ms % 10 == 0)
                {
                    Gateway.Tick();
                    Vps.Tick();
                }

                _clock.Us += 1000;
                for (int n = 0; n < _there.Length; n++)
                {
                    while (_there[n].TryTake(out var datagram))
                    {
                        int lane = Vps.Receive(datagram, _scratch);
                        if (lane >= 0)
                        {
                            Vps.Follow(lane, _back[n].Address, _open);
                        }
                    }

                    while (_back[n].TryTake(out var datagram))
                    {
                        Gateway.Receive(datagram, _scratch);
                    }
                }
            }
        }

        /// <summary>Merged ones count as what they are made of.</summary>
        public void Deliver(ReadOnlySpan<byte> packet, in PacketMeta meta) =>
            Delivered += PacketInfo.TryRead(packet, out var info) ? SuperPacket.Segments(info, meta) : 0;

        public void Dispose()
        {
            Gateway.Dispose();
            Vps.Dispose();
        }

        private void Send()
        {
            var packet = SimulatedLines.Packet(1, PacketBytes);
            if (!Gateway.TryQueue(packet, new PacketFlow(7, PacketClass.Bulk, 1)))
            {
                packet.Return();
                Refused++;
            }
        }
    }

    /// <summary>One way of a line: so quick, so long, with a queue of 100 ms. Its datagrams lie in buffers that were there before.</summary>
    private sealed class Line(Clock clock, int number, double mbps, long delayUs) : IUdpPeerOutlet
    {
        private const int Places = 2048;
        private const double QueueUs = 100_000;

        private readonly (byte[] Datagram, int Length, long AtUs)[] _places =
            [.. Enumerable.Range(0, Places).Select(_ => (new byte[UdpLanes.LongestDatagramBytes], 0, 0L))];

        private int _first;
        private int _count;
        private double _freeUs;

        public SocketAddress Address { get; } = new IPEndPoint(IPAddress.Loopback, 1000 + number).Serialize();

        public int LongestBytes => UdpLanes.LongestDatagramBytes;

        public void Send(ReadOnlySpan<byte> datagram)
        {
            if (_freeUs - clock.Us > QueueUs || _count == Places)
            {
                return;
            }

            _freeUs = Math.Max(_freeUs, clock.Us) + ((datagram.Length + 28) * 8 / mbps);
            ref var place = ref _places[(_first + _count++) % Places];
            datagram.CopyTo(place.Datagram);
            (place.Length, place.AtUs) = (datagram.Length, (long)_freeUs + delayUs);
        }

        internal bool TryTake(out ReadOnlySpan<byte> datagram)
        {
            ref var place = ref _places[_first];
            if (_count == 0 || place.AtUs > clock.Us)
            {
                datagram = default;
                return false;
            }

            datagram = place.Datagram.AsSpan(0, place.Length);
            _first = (_first + 1) % Places;
            _count--;
            return true;
        }
    }

    private sealed class Clock : TimeProvider
    {
        internal long Us { get; set; } = 5_000_000;

        public override long TimestampFrequency => 1_000_000;

        public override long GetTimestamp() => Us;
    }
}
