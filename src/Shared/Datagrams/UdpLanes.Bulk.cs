using Aggregator.Packets;
using Aggregator.Trunk;

namespace Aggregator.Datagrams;

/// <content>
/// Flows of larger packets that are not real-time (QUIC, VPNs, video): over all lanes, each as full as its window lets it be, put back in order by the
/// receiver. On a stream's lane whatever a line loses holds up all that comes behind it, and in a flow that is spread also what took the other lanes.
/// </content>
internal sealed partial class UdpLanes
{
    /// <summary>Flows of smaller packets on average go over the trunk, which puts many into one write.</summary>
    private const float LeastAverageBytes = 300;

    /// <summary>A flow that was found to be the trunk's is looked at again after so long; one with packets that no datagram holds much later.</summary>
    private const long DecideAgainUs = 1_000_000;
    private const long TooLongForUs = 20_000_000;

    /// <summary>A lane that is so much slower per time that a packet has waited may take it.</summary>
    private const double SpreadFactor = 4;

    /// <summary>
    /// Reports on what carries bulk: after so many of its packets (what came at once after a pause may be all that the sender's window had), after a few when
    /// the last was so long ago, and what is left at the next <see cref="Tick"/>.
    /// </summary>
    private const int MostUnreported = 32;
    private const int FewUnreported = 8;
    private const long SoonestReportUs = 2_000;

    /// <summary>How long a slow lane counts as used by a flow; longer than its packets are under way.</summary>
    private const long SlowestMemoryUs = 700_000;

    /// <summary>The same for all lanes that it counts as using; no longer than the receiver's memory.</summary>
    private const long LanesMemoryUs = 400_000;

    private readonly DatagramQueue _queue = new();
    private readonly BulkFlow[] _bulkFlows = new BulkFlow[FlowTable.Slots];
    private readonly uint[] _received = new uint[FlowTable.Slots];
    private long _peerUs;
    private uint _bulkTurn;

    /// <summary>Packets that waited in vain.</summary>
    internal long Dropped => _queue.DroppedOld + _queue.DroppedFull;

    internal int Waiting => _queue.Count;

    /// <summary>Takes a packet that is not real-time. What it has not sent by then goes with <see cref="Flush"/> and later.</summary>
    /// <returns>False: it is the trunk's, and the caller's still.</returns>
    internal bool TryQueue(in Packet packet, in PacketFlow flow)
    {
        lock (_gate)
        {
            long nowUs = NowUs;
            if (_isDisposed || !Decide(packet, flow.Slot, nowUs))
            {
                return false;
            }

            Activate(nowUs);
            _queue.Enqueue(packet, flow, nowUs);
            return true;
        }
    }

    /// <summary>Ends a batch.</summary>
    internal void Flush()
    {
        if (_queue.Count > 0)
        {
            lock (_gate)
            {
                if (!_isDisposed)
                {
                    SendBulk(NowUs);
                }
            }
        }
    }

    /// <summary>Whether these lanes are the flow's. It stays where it is for a while: packets of one flow on two ways would lose their order.</summary>
    private bool Decide(in Packet packet, int slot, long nowUs)
    {
        ref var flow = ref _bulkFlows[slot];
        int bytes = packet.Meta.Gso == GsoKind.Udp ? SuperPacket.PartBytes(packet.Info, packet.Meta, 0, 1) : packet.Length;
        flow.AverageBytes = nowUs - flow.SeenAtUs > DecideAgainUs ? bytes : flow.AverageBytes + ((bytes - flow.AverageBytes) / 8);
        flow.SeenAtUs = nowUs;
        if (packet.Meta.Gso == GsoKind.Tcp || bytes > LongestPacket())
        {
            (flow.IsOurs, flow.DecideAtUs) = (false, nowUs + TooLongForUs);
        }
        else if (!TryPick(nowUs, out _))
        {
            (flow.IsOurs, flow.DecideAtUs) = (false, nowUs + DecideAgainUs);
        }
        else if (nowUs >= flow.DecideAtUs)
        {
            flow.IsOurs = flow.AverageBytes >= LeastAverageBytes;
            flow.DecideAtUs = nowUs + DecideAgainUs;
        }

        return flow.IsOurs;
    }

    /// <summary>What some lane is known to take.</summary>
    private int LongestPacket()
    {
        int longest = 0;
        foreach (var lane in _lanes)
        {
            longest = lane is { IsKnown: true } ? Math.Max(longest, lane.LongestBytes) : longest;
        }

        return longest - UdpCipher.OverheadBytes - UdpBulkHeader.Bytes;
    }

    /// <summary>Sends what waits as far as the lanes' windows let it. Under the lock.</summary>
    private void SendBulk(long nowUs)
    {
        if (_queue.Count == 0)
        {
            return;
        }

        _queue.TotalBytesPerSecond = TotalBytesPerSecond(nowUs);
        _queue.IsLearning = IsLearning(nowUs);
        lock (_queue.Gate)
        {
            // Bulk has every fourth turn before the rest, so that it always has something.
            bool bulkFirst = (++_bulkTurn & 3) == 0;
            SendClass(bulkFirst ? PacketClass.Bulk : PacketClass.Default, nowUs);
            SendClass(bulkFirst ? PacketClass.Default : PacketClass.Bulk, nowUs);
        }
    }

    private void SendClass(PacketClass of, long nowUs)
    {
        int passes = 0;
        while (_queue.TryHead(of, nowUs, out int client))
        {
            ref var head = ref _queue.Head(of, client);
            if (ChooseForBulk(head, nowUs) is { } lane)
            {
                passes = 0;
                SendBulk(of, client, ref head, lane, nowUs);
            }
            else if (++passes < Math.Min(8, _queue.ActiveClients(of)))
            {
                _queue.Pass(of);
            }
            else
            {
                return;
            }
        }
    }

    private void SendBulk(PacketClass of, int client, ref QueuedDatagram head, UdpLane lane, long nowUs)
    {
        var packet = head.Packet;
        var meta = packet.Meta;
        int length = packet.Length;
        int segments = SuperPacket.Segments(packet.Info, packet.Meta);
        var body = _plain.AsSpan(UdpBulkHeader.Bytes);
        if (segments == 1)
        {
            packet.Bytes.CopyTo(body);
        }
        else
        {
            (meta, length) = SuperPacket.WritePart(packet.Bytes, packet.Info, packet.Meta, head.SegmentsSent, 1, body);
        }

        int plain = UdpBulkHeader.Bytes + length;
        var frame = new DatagramFrame(head.Slot, 0, 0, false, meta, Behind(head.Slot, lane, nowUs)).ToFrame(length);
        NotePacket(lane, nowUs);
        ulong sequence = lane.Send(plain + UdpCipher.OverheadBytes, nowUs);
        byte flags = UdpBulkHeader.WithLanes(frame.Flags, _bulkFlows[head.Slot].Uses(lane.Id, nowUs));
        new UdpBulkHeader(lane.Id, flags, (uint)nowUs, (uint)sequence, (ushort)head.Slot, _sequences[head.Slot]++).Write(_plain);
        int sealedBytes = cipher.Seal(_plain.AsSpan(0, plain), _datagram);
        lane.Outlet!.Send(_datagram.AsSpan(0, sealedBytes));
        bool whole = ++head.SegmentsSent == segments;
        _counts.Bulk += whole ? 1 : 0;
        _queue.Sent(of, client, length, whole);
    }

    /// <summary>The quickest lane with room; a slower one only for what has waited: its difference would else be everybody's. Null: none now.</summary>
    private UdpLane? ChooseForBulk(in QueuedDatagram head, long nowUs)
    {
        int bytes = UdpCipher.OverheadBytes + UdpBulkHeader.Bytes
            + (head.Packet.Meta.Gso == GsoKind.None ? head.Packet.Length : SuperPacket.PartBytes(head.Packet.Info, head.Packet.Meta, head.SegmentsSent, 1));
        UdpLane? best = null;
        double quickest = double.MaxValue;
        bool hasNormal = TryPick(nowUs, out var first) && !first!.IsBackup;
        foreach (var lane in _lanes)
        {
            if (lane is null || bytes > lane.LongestBytes || lane.IsBackup == hasNormal || !lane.IsWell(nowUs, Expected(lane, nowUs)))
            {
                continue;
            }

            quickest = Math.Min(quickest, lane.Window.BaseUs / 2);
            if (lane.UnderWayBytes + bytes > lane.Window.Bytes)
            {
                lane.Window.NoteFull();
            }
            else if (best is null || lane.RttUs < best.RttUs)
            {
                best = lane;
            }
        }

        double waited = nowUs - head.QueuedAtUs;
        return best is not null && (best.RttUs / 2) - quickest <= (SpreadFactor * waited) + StayUs ? best : null;
    }

    /// <summary>Some lane that is full shows only now what it takes.</summary>
    private bool IsLearning(long nowUs)
    {
        foreach (var lane in _lanes)
        {
            if (lane is { Window.IsLearning: true } && lane.IsWell(nowUs, Expected(lane, nowUs)))
            {
                return true;
            }
        }

        return false;
    }

    private double TotalBytesPerSecond(long nowUs)
    {
        double total = 0;
        foreach (var lane in _lanes)
        {
            total += lane is not null && lane.IsWell(nowUs, Expected(lane, nowUs)) ? lane.Window.BytesPerSecond : 0;
        }

        return total;
    }

    /// <summary>For the receiver, who waits for what overtakes on other lanes.</summary>
    private byte Behind(int slot, UdpLane lane, long nowUs)
    {
        double delay = lane.RttUs / 2;
        ref var flow = ref _bulkFlows[slot];
        if (delay >= flow.SlowestUs || nowUs - flow.SlowestAtUs > SlowestMemoryUs)
        {
            (flow.SlowestUs, flow.SlowestAtUs) = ((float)delay, nowUs);
        }
        else if (delay > 0.8 * flow.SlowestUs)
        {
            flow.SlowestAtUs = nowUs;
        }

        return DatagramFrame.ToBehind(flow.SlowestUs - delay);
    }

    /// <summary>What the sender's windows live by.</summary>
    private void ReportBulk(UdpLane lane, long nowUs)
    {
        int waiting = ++lane.UnreportedBulk;
        bool isDue = waiting >= MostUnreported || (waiting >= FewUnreported && nowUs - lane.LastReportUs >= SoonestReportUs);
        if (isDue && lane.Outlet is not null)
        {
            SendReport(lane, 0, nowUs);
        }
    }

    /// <summary>The frame that this would be on the trunk.</summary>
    private TrunkFrame Frame(in UdpBulkHeader header, int length)
    {
        uint sequence = UdpBulkHeader.CompleteFlow(header.FlowSequence, _received[header.Slot]);
        _received[header.Slot] = sequence;
        long value = (long)(((ulong)sequence << 32) | ((ulong)(ushort)(_peerUs / 1000) << 16));
        return new TrunkFrame(TrunkFrameType.Datagram, header.FrameFlags, length, header.Slot, value);
    }

    private struct BulkFlow
    {
        internal float AverageBytes;
        internal long SeenAtUs;
        internal bool IsOurs;
        internal long DecideAtUs;
        internal float SlowestUs;
        internal long SlowestAtUs;
        private ulong _lanesNow;
        private ulong _lanesBefore;
        private long _lanesFromUs;

        /// <summary>How many lanes it went over lately, this one included.</summary>
        internal int Uses(int lane, long nowUs)
        {
            if (nowUs - _lanesFromUs > LanesMemoryUs)
            {
                _lanesBefore = nowUs - _lanesFromUs > 2 * LanesMemoryUs ? 0 : _lanesNow;
                (_lanesNow, _lanesFromUs) = (0, nowUs);
            }

            _lanesNow |= 1UL << lane;
            return System.Numerics.BitOperations.PopCount(_lanesNow | _lanesBefore);
        }
    }
}
