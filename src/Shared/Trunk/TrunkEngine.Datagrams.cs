using Aggregator.Packets;

namespace Aggregator.Trunk;

/// <content>
/// Datagrams on their way out. A flow stays on the quickest lane with room and goes over to another one only while that one is full; then
/// its packets have waited a little, and the longer they have, the slower a lane may be that takes them.
/// </content>
internal sealed partial class TrunkEngine
{
    /// <summary>A lane must not be held up for longer than this by one frame; a super-packet goes in parts then.</summary>
    private const double DatagramFrameSeconds = 0.002;

    /// <summary>A lane whose write has not come back for so long is full, whatever is calculated.</summary>
    private const long StuckUs = 2_000;

    /// <summary>Datagrams kept the trunk busy so lately that its lanes are looked at.</summary>
    private const long DatagramMemoryUs = 3_000_000;

    private readonly uint[] _datagramSequences = new uint[FlowTable.Slots];
    private readonly byte[] _datagramLanes = new byte[FlowTable.Slots];
    private readonly SlowestLane[] _datagramSlowest = new SlowestLane[FlowTable.Slots];
    private long _silenceSeenAtUs = long.MinValue / 2;
    private long _datagramAtUs = long.MinValue / 2;
    private uint _bulkTurn;

    internal DatagramQueue Datagrams { get; } = new();

    /// <summary>Real-time packets always go twice.</summary>
    internal bool DuplicatesRealTime { get; set; }

    internal long DatagramsSent { get; private set; }

    internal long DatagramBytesSent { get; private set; }

    internal long DatagramCopies { get; private set; }

    /// <summary>Datagrams moved lately: lanes must be known to be alive.</summary>
    private bool HasDatagrams(long nowUs) => nowUs - _datagramAtUs < DatagramMemoryUs;

    /// <summary>Something was queued: wakes the lane that should take it.</summary>
    internal void DatagramsWait(long nowUs)
    {
        if (nowUs - _rankedAtUs > RankAgainUs)
        {
            Rank(nowUs);
        }

        _isActive = true;
        _datagramAtUs = nowUs;
        Datagrams.TotalBytesPerSecond = TotalRate();
        lock (Datagrams.Gate)
        {
            for (var of = PacketClass.RealTime; of <= PacketClass.Bulk; of++)
            {
                if (Datagrams.TryHead(of, nowUs, out int client))
                {
                    WakeForDatagram(Choose(of, ref Datagrams.Head(of, client), null, 0, nowUs), nowUs);
                }
            }
        }
    }

    private void WakeForDatagram(EngineLane? target, long nowUs)
    {
        if (target is not null)
        {
            _events.LaneHasWork(target);
            return;
        }

        foreach (var lane in _lanes)
        {
            if (lane.WakeAtUs == 0 && TakesPart(lane))
            {
                lane.WakeAtUs = nowUs + MinWaitUs;
            }
        }
    }

    /// <summary>Between what must go at once and the streams' data. Where streams wait too, datagrams have half of the room.</summary>
    /// <returns>Bytes put into the buffer.</returns>
    private int FillDatagrams(EngineLane lane, Span<byte> buffer, int before, long nowUs)
    {
        int used = 0;
        while (lane.Copies.Count > 0)
        {
            int written = WriteCopy(lane, buffer[used..]);
            if (written < 0)
            {
                return used;
            }

            used += written;
        }

        if (Datagrams.Count == 0)
        {
            return used;
        }

        double rate = Math.Max(1, lane.Estimate.RateBytesPerSecond);
        double room = FeedLimit(lane, rate, nowUs) - lane.Estimate.QueueBytes(nowUs) - before;
        double share = _quick.Count + _bulk.Count > 0 ? room / 2 : room;
        int part = (int)Math.Clamp(rate * DatagramFrameSeconds, MaxCopiedBytes, PacketInfo.MaxBytes);
        lock (Datagrams.Gate)
        {
            // Bulk has every fourth turn before the rest, so that it always has something.
            bool bulkFirst = (++_bulkTurn & 3) == 0;
            used += FillClass(PacketClass.RealTime, lane, buffer[used..], before + used, room + QuickExtraBytes, part, nowUs);
            var (first, second) = bulkFirst ? (PacketClass.Bulk, PacketClass.Default) : (PacketClass.Default, PacketClass.Bulk);
            used += FillClass(first, lane, buffer[used..], before + used, share, part, nowUs);
            used += FillClass(second, lane, buffer[used..], before + used, share, part, nowUs);
        }

        _datagramAtUs = nowUs;
        return used;
    }

    private int FillClass(PacketClass of, EngineLane lane, Span<byte> buffer, int before, double room, int part, long nowUs)
    {
        int used = 0;
        int passes = 0;
        while (used < room && Datagrams.TryHead(of, nowUs, out int client))
        {
            ref var head = ref Datagrams.Head(of, client);
            var target = Choose(of, ref head, lane, before + used, nowUs);
            if (target != lane)
            {
                WakeForDatagram(target, nowUs);
                if (target is null)
                {
                    lane.WakeAtUs = nowUs + MinWaitUs;
                }

                if (++passes >= Math.Min(8, Datagrams.ActiveClients(of)))
                {
                    break;
                }

                Datagrams.Pass(of);
                continue;
            }

            passes = 0;
            int written = WriteDatagram(of, client, ref head, lane, buffer[used..], part, nowUs);
            if (written < 0)
            {
                break;
            }

            used += written;
        }

        return used;
    }

    /// <summary>-1: the buffer is full.</summary>
    private int WriteDatagram(PacketClass of, int client, ref QueuedDatagram head, EngineLane lane, Span<byte> buffer, int part, long nowUs)
    {
        var packet = head.Packet;
        int segments = SuperPacket.Segments(packet.Info, packet.Meta);
        int left = segments - head.SegmentsSent;
        int count = left;
        int length = head.SegmentsSent == 0 ? packet.Length : SuperPacket.PartBytes(packet.Info, packet.Meta, head.SegmentsSent, left);
        if (segments > 1 && length > part)
        {
            count = Math.Min(left, SuperPacket.SegmentsWithin(packet.Info, packet.Meta, part));
            length = SuperPacket.PartBytes(packet.Info, packet.Meta, head.SegmentsSent, count);
        }

        if (buffer.Length < TrunkFrame.HeaderBytes + length)
        {
            return -1;
        }

        var meta = packet.Meta;
        var body = buffer[TrunkFrame.HeaderBytes..];
        if (count == segments)
        {
            packet.Bytes.CopyTo(body);
        }
        else
        {
            (meta, length) = SuperPacket.WritePart(packet.Bytes, packet.Info, packet.Meta, head.SegmentsSent, count, body);
        }

        int slot = head.Slot;
        bool realTime = of == PacketClass.RealTime;
        var frame = new DatagramFrame(slot, _datagramSequences[slot]++, (ushort)(nowUs / 1000), realTime, meta, Behind(slot, lane, nowUs)).ToFrame(length);
        frame.Write(buffer);
        int written = TrunkFrame.HeaderBytes + length;
        _datagramLanes[slot] = (byte)lane.Id;
        lane.SentPayloadBytes += length;
        lane.SentRate.Add(length, nowUs);
        DatagramBytesSent += length;
        if (realTime && written <= MaxCopiedBytes)
        {
            Copy(lane, buffer[..written], nowUs);
        }

        head.SegmentsSent += count;
        bool whole = head.SegmentsSent == segments;
        DatagramsSent += whole ? 1 : 0;
        Datagrams.Sent(of, client, length, whole);
        return written;
    }

    /// <summary>Part of <see cref="Tick"/>: lanes that carry datagrams are looked at, so that a silent one is left within a moment.</summary>
    private bool TickDatagrams(long nowUs)
    {
        bool waits = Datagrams.Count > 0;
        foreach (var lane in _lanes)
        {
            if (!lane.IsWell)
            {
                _silenceSeenAtUs = lane.IsRetiring ? _silenceSeenAtUs : nowUs;
            }

            if (HasDatagrams(nowUs) && nowUs - lane.Estimate.ReadAtUs > LookAgainUs && lane.Estimate.Reading.InFlightBytes > 0)
            {
                _events.LaneHasWork(lane);
            }
        }

        if (waits)
        {
            DatagramsWait(nowUs);
        }

        return waits || HasDatagrams(nowUs);
    }

    void IFrameSink.OnDatagram(in TrunkFrame frame, int offset, int at, ReadOnlySpan<byte> piece)
    {
        var lane = _receiving!;
        lane.ReceivedPayloadBytes += piece.Length;
        lane.ReceivedRate.Add(piece.Length, _nowUs);
        _datagramAtUs = _nowUs;
        lane.Datagrams.Add(frame, offset, at, piece);
    }

    /// <summary>The lane is gone, with what it alone had.</summary>
    private static void DropCopies(EngineLane lane)
    {
        while (lane.Copies.Count > 0)
        {
            PacketPool.Shared.Return(lane.Copies.Dequeue().Buffer);
        }
    }
}
