using System.Net;
using Aggregator.Packets;
using Aggregator.Trunk;

namespace Aggregator.Datagrams;

/// <summary>
/// Real-time packets between a gateway and its VPS as UDP datagrams over every WAN, which no retransmission delays. One session with keys of its own; the same at
/// both ends. Nothing waits here: a packet goes now or is refused, so there is no queue to bound. Safe for many threads.
/// </summary>
/// <param name="isGateway">Lanes are the gateway's to make; the VPS learns of them by their first datagram.</param>
internal sealed partial class UdpLanes(bool isGateway, UdpCipher cipher, RealTimePolicy policy, TimeProvider time) : IDisposable
{
    internal const int MaxLanes = 64;

    /// <summary>An IPv6 packet of the smallest MTU: sealed, it fits a WAN with an MTU of 1400.</summary>
    internal const int MaxPacketBytes = 1280;

    /// <summary>Of a real-time packet; what any line takes.</summary>
    internal const int MaxDatagramBytes = UdpCipher.OverheadBytes + UdpHeader.Bytes + TrunkFrame.HeaderBytes + MaxPacketBytes;

    /// <summary>Of any, where the line takes it: IPv4 and UDP in 1,500 bytes.</summary>
    internal const int LongestDatagramBytes = 1500 - 28;

    /// <summary>
    /// A socket's buffers: what came during a pause of ours (20 ms of 1 Gbit/s; the kernel counts 2.3 KB for a packet of 1.5 and takes twice what is asked), and what the
    /// line's interface has not taken yet.
    /// </summary>
    internal const int ReceiveBufferBytes = 2 << 20;
    internal const int SendBufferBytes = 512 << 10;

    /// <summary>What a client may send this way; the trunk's bound for real-time packets. The rest of it goes over the trunk.</summary>
    private const double ClientBytesPerUs = 4.0 / 8;
    private const double ClientBurstBytes = 64 * 1024;

    /// <summary>Copies go out until all being lost is this rare by what is measured, but not on more lanes than this.</summary>
    private const double LossWanted = 1e-4;
    private const int MaxCopies = 4;

    /// <summary>The lane in use is left for one that is quicker by a quarter and this: not for noise.</summary>
    private const double StayUs = 2_000;

    /// <summary>
    /// What a packet may be later than any before it: a queue that grows, a busy machine. It delays only what waits for a packet that is lost on a lane that is
    /// hardly used: on the others the next one shows it.
    /// </summary>
    private const long LatenessUs = 30_000;

    private readonly Lock _gate = new();
    private readonly UdpLane?[] _lanes = new UdpLane?[MaxLanes];
    private readonly uint[] _sequences = new uint[FlowTable.Slots];
    private readonly ClientBucket[] _clients = new ClientBucket[256];
    private readonly byte[] _plain = new byte[LongestDatagramBytes];
    private readonly byte[] _datagram = new byte[LongestDatagramBytes];
    private readonly UdpLane[] _chosen = new UdpLane[MaxCopies];
    private readonly long _started = time.GetTimestamp();
    private UdpLane? _best;
    private long _packetUs = long.MinValue / 2;
    private UdpCounts _counts;
    private bool _isDisposed;

    internal RealTimePolicy Policy { get; } = policy;

    /// <summary>Where packets come out; it puts them in order and drops copies.</summary>
    internal DatagramReceiver Receiver { get; } = new(LatenessUs, knowsQueues: true);

    internal UdpCounts Counts
    {
        get
        {
            lock (_gate)
            {
                return _counts;
            }
        }
    }

    internal bool IsDisposed => Volatile.Read(ref _isDisposed);

    /// <summary>Some lane works: what is sent now is not for the trunk.</summary>
    internal bool IsWell
    {
        get
        {
            lock (_gate)
            {
                return !_isDisposed && TryPick(NowUs, out _);
            }
        }
    }

    internal long NowUs => (long)time.GetElapsedTime(_started).TotalMicroseconds;

    /// <summary>A WAN to send over, or another socket for it.</summary>
    internal void SetOutlet(int id, IUdpOutlet outlet, bool isBackup)
    {
        lock (_gate)
        {
            var lane = _lanes[id] ??= new UdpLane((byte)id, outlet);
            (lane.Outlet, lane.IsBackup) = (outlet, isBackup);
        }
    }

    /// <summary>The WAN cannot be used for now; its numbers go on when it comes back.</summary>
    internal void RemoveOutlet(int id)
    {
        lock (_gate)
        {
            if (_lanes[id] is { } lane)
            {
                lane.Outlet = null;
            }
        }
    }

    /// <summary>At the VPS: where the gateway's lane comes from now. Calls for every newest datagram; the same again costs a comparison.</summary>
    internal void Follow(int id, SocketAddress from, Func<SocketAddress, IUdpOutlet> open)
    {
        lock (_gate)
        {
            if (_lanes[id] is { } lane && !(lane.Outlet is IUdpPeerOutlet peer && peer.Address.Equals(from)))
            {
                lane.Outlet = open(from);
            }
        }
    }

    /// <summary>Sends a packet now over the lanes that the policy names.</summary>
    /// <returns>False: it is not for these lanes, or none is well; it is the caller's still.</returns>
    internal bool TrySend(in Packet packet, in PacketFlow flow)
    {
        if (packet.Length > MaxPacketBytes || packet.Meta.Gso != GsoKind.None)
        {
            return false;
        }

        lock (_gate)
        {
            long nowUs = NowUs;
            if (_isDisposed || !TakeTokens(flow.Client, packet.Length, nowUs) || Choose(nowUs) is not (> 0 and var count))
            {
                _counts.Refused++;
                return false;
            }

            Activate(nowUs);
            bool ordered = Policy == RealTimePolicy.Spread;
            var frame = new DatagramFrame(flow.Slot, _sequences[flow.Slot]++, (ushort)(nowUs / 1000), !ordered, packet.Meta, ordered ? Behind(_chosen[0], nowUs) : (byte)0);
            frame.ToFrame(packet.Length).Write(_plain.AsSpan(UdpHeader.Bytes));
            packet.Bytes.CopyTo(_plain.AsSpan(UdpHeader.Bytes + TrunkFrame.HeaderBytes));
            for (int i = 0; i < count; i++)
            {
                NotePacket(_chosen[i], nowUs);
                Send(_chosen[i], UdpDatagramType.Packet, TrunkFrame.HeaderBytes + packet.Length, nowUs);
            }

            _counts.Sent++;
            _counts.Copies += count - 1;
            return true;
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            if (_isDisposed)
            {
                return;
            }

            _isDisposed = true;
            cipher.Dispose();
            _queue.Clear();
        }

        Receiver.Clear();
    }

    /// <summary>Figures of the lanes that have carried anything, by their numbers.</summary>
    internal List<UdpLaneSample> Sample()
    {
        lock (_gate)
        {
            long nowUs = NowUs;
            return [.. _lanes.OfType<UdpLane>().Select(l => new UdpLaneSample(
                l.Id, l.IsWell(nowUs, Expected(l, nowUs)), l == _best, l.IsBackup, l.Outlet is not null,
                l.RttUs > 0 ? l.RttUs / 1000 : null, l.RttUs > 0 ? l.JitterOutUs / 1000 : null, l.Highest > 0 ? l.JitterInUs / 1000 : null,
                l.RttUs > 0 ? l.LossOut : null, l.Highest > 0 ? l.LossIn : null, l.SentBytes, l.ReceivedBytes))];
        }
    }

    /// <summary>Null: a gateway's lanes are its own to make.</summary>
    private UdpLane? LaneOf(byte id) => _lanes[id] ??= isGateway ? null : new UdpLane(id, null);

    /// <summary>The datagram's body lies in <see cref="_plain"/> behind the room for its header.</summary>
    private void Send(UdpLane lane, UdpDatagramType type, int bodyBytes, long nowUs)
    {
        int plain = UdpHeader.Bytes + bodyBytes;
        ulong sequence = lane.Send(plain + UdpCipher.OverheadBytes, nowUs);
        new UdpHeader(type, lane.Id, (uint)nowUs, sequence).Write(_plain);
        int length = cipher.Seal(_plain.AsSpan(0, plain), _datagram);
        lane.Outlet!.Send(_datagram.AsSpan(0, length));
    }

    private bool TakeTokens(byte client, int bytes, long nowUs)
    {
        ref var bucket = ref _clients[client];
        double left = Math.Min(ClientBurstBytes, bucket.Bytes + ((nowUs - bucket.AtUs) * ClientBytesPerUs));
        bool enough = left >= bytes;
        bucket = new ClientBucket(enough ? left - bytes : left, nowUs);
        return enough;
    }

    /// <summary>How much longer than on this lane packets of the same flow may take on another.</summary>
    private byte Behind(UdpLane lane, long nowUs)
    {
        double slowest = 0;
        foreach (var other in _lanes)
        {
            if (other is not null && other.IsWell(nowUs, Expected(other, nowUs)))
            {
                slowest = Math.Max(slowest, other.RttUs / 2);
            }
        }

        return DatagramFrame.ToBehind(slowest - (lane.RttUs / 2));
    }

    private readonly record struct ClientBucket(double Bytes, long AtUs);
}
