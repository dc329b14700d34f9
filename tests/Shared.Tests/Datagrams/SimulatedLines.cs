using System.Buffers.Binary;
using System.Net;
using Aggregator.Datagrams;
using Aggregator.Packets;

namespace Aggregator.Shared.Tests.Datagrams;

/// <summary>A gateway's and a VPS's lanes with lines between them, in a time of their own: the same every run.</summary>
internal sealed class SimulatedLines : IDisposable
{
    private readonly Clock _clock = new();
    private readonly PriorityQueue<(UdpLanes To, byte[] Datagram, int Line), (long At, long Order)> _under = new();
    private readonly byte[] _scratch = new byte[UdpLanes.LongestDatagramBytes];
    private readonly Random _random;
    private long _order;

    internal SimulatedLines(RealTimePolicy policy, int seed, params Line[] lines)
    {
        _random = new Random(seed);
        Lines = lines;
        byte[] there = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];
        byte[] back = [.. Enumerable.Range(32, 32).Select(i => (byte)i)];
        Gateway = new UdpLanes(isGateway: true, new UdpCipher(7, there, back), policy, _clock);
        Vps = new UdpLanes(isGateway: false, new UdpCipher(7, back, there), policy, _clock);
        Vps.Receiver.Sink = AtVps;
        Gateway.Receiver.Sink = AtGateway;
        for (int i = 0; i < lines.Length; i++)
        {
            Gateway.SetOutlet(i, new Outlet(this, Vps, i, null), lines[i].IsBackup);
        }
    }

    internal Line[] Lines { get; }

    internal UdpLanes Gateway { get; }

    internal UdpLanes Vps { get; }

    internal Sink AtVps { get; } = new();

    internal Sink AtGateway { get; } = new();

    internal long NowMs => _clock.Us / 1000;

    /// <summary>Every datagram that was sent, with its line: for whoever wants to play them again.</summary>
    internal List<(byte[] Datagram, int Line)> Wire { get; } = [];

    /// <summary>Goes on for so long, a millisecond at a time; both ends look every 10 ms.</summary>
    internal void Run(int ms, Action<long>? each = null)
    {
        for (int i = 0; i < ms; i++)
        {
            each?.Invoke(NowMs);
            if (NowMs % 10 == 0)
            {
                Gateway.Tick();
                Vps.Tick();
            }

            _clock.Us += 1000;
            while (_under.TryPeek(out var next, out var when) && when.At <= _clock.Us)
            {
                _under.Dequeue();
                AtVps.NowMs = AtGateway.NowMs = NowMs;
                int lane = next.To.Receive(next.Datagram, _scratch);
                if (lane >= 0 && next.To == Vps)
                {
                    Vps.Follow(lane, Address(next.Line), a => new Outlet(this, Gateway, next.Line, a));
                }
            }

            AtVps.NowMs = AtGateway.NowMs = NowMs;
        }
    }

    /// <summary>A call's packets: 160 bytes every 20 ms, numbered. Those that the lanes do not take are not sent.</summary>
    internal Action<long> Call(UdpLanes from, List<uint> refused, int everyMs = 20)
    {
        uint number = 0;
        return now =>
        {
            if (now % everyMs == 0)
            {
                var packet = Packet(number);
                if (!from.TrySend(packet, new PacketFlow(5, PacketClass.RealTime, 1)))
                {
                    refused.Add(number);
                    packet.Return();
                }
                else
                {
                    packet.Return();
                }

                number++;
            }
        };
    }

    internal static Packet Packet(uint number, int bytes = 160)
    {
        byte[] buffer = PacketPool.Shared.Rent(bytes);
        var span = buffer.AsSpan(0, bytes);
        span.Clear();
        span[0] = 0x45;
        BinaryPrimitives.WriteUInt16BigEndian(span[2..], (ushort)bytes);
        span[9] = 17;
        BinaryPrimitives.WriteUInt32BigEndian(span[40..], number);
        PacketInfo.TryRead(span, out var info);
        return new Packet(buffer, 0, info, default);
    }

    public void Dispose()
    {
        Gateway.Dispose();
        Vps.Dispose();
    }

    private static SocketAddress Address(int line) => new IPEndPoint(IPAddress.Loopback, 1000 + line).Serialize();

    private void Carry(UdpLanes to, ReadOnlySpan<byte> datagram, int number)
    {
        var line = Lines[number];
        Wire.Add((datagram.ToArray(), number));
        if (line.IsBlocked || _random.NextDouble() < line.Loss)
        {
            return;
        }

        if (datagram.Length > line.LongestThroughBytes || !line.TryTake(datagram.Length + 28, to == Vps, _clock.Us, out long leavesUs))
        {
            return;
        }

        long at = leavesUs + (line.DelayMs * 1000) + (line.JitterMs > 0 ? _random.Next(line.JitterMs * 1000) : 0);
        _under.Enqueue((to, datagram.ToArray(), number), (at, _order++));
    }

    internal sealed class Line
    {
        internal int DelayMs { get; set; }

        internal int JitterMs { get; set; }

        internal double Loss { get; set; }

        /// <summary>What the gateway's host says of it.</summary>
        internal int LongestBytes { get; set; } = UdpLanes.LongestDatagramBytes;

        /// <summary>What is longer is lost.</summary>
        internal int LongestThroughBytes { get; set; } = UdpLanes.LongestDatagramBytes;

        /// <summary>Each way, with a queue of 100 ms; null: no limit.</summary>
        internal double? Mbps { get; init; }

        private readonly double[] _freeUs = new double[2];

        internal bool TryTake(int bytes, bool isThere, long nowUs, out long leavesUs)
        {
            leavesUs = nowUs;
            if (Mbps is not { } rate)
            {
                return true;
            }

            ref double free = ref _freeUs[isThere ? 1 : 0];
            if (free - nowUs > 100_000)
            {
                return false;
            }

            free = Math.Max(free, nowUs) + (bytes * 8 / rate);
            leavesUs = (long)free;
            return true;
        }

        internal bool IsBlocked { get; set; }

        internal bool IsBackup { get; init; }
    }

    internal sealed class Sink : IPacketSink
    {
        internal long NowMs { get; set; }

        internal List<(uint Number, long AtMs)> Packets { get; } = [];

        public void Deliver(ReadOnlySpan<byte> packet, in PacketMeta meta) =>
            Packets.Add((BinaryPrimitives.ReadUInt32BigEndian(packet[40..]), NowMs));
    }

    private sealed class Outlet(SimulatedLines lines, UdpLanes to, int line, SocketAddress? address) : IUdpPeerOutlet
    {
        public SocketAddress Address => address!;

        public int LongestBytes => address is null ? lines.Lines[line].LongestBytes : 0;

        public void Send(ReadOnlySpan<byte> datagram) => lines.Carry(to, datagram, line);
    }

    private sealed class Clock : TimeProvider
    {
        internal long Us { get; set; } = 5_000_000;

        public override long TimestampFrequency => 1_000_000;

        public override long GetTimestamp() => Us;
    }
}
