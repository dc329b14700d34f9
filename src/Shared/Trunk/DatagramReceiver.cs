using Aggregator.Packets;

namespace Aggregator.Trunk;

/// <summary>
/// Hands on what came in DATAGRAM frames, each flow in its order. A packet that overtook others on another lane is held back until they
/// are there, but no longer than the slowest of the lanes that its flow uses would take, and a little more.
/// Has a lock of its own: the packets are handed on under it, and never under the session's.
/// </summary>
/// <param name="streamLatenessUs">See <see cref="LatenessUs"/>.</param>
/// <param name="knowsQueues">A lane's lateness is its queue's and its jitter's, not repair's: the longest that packets took lately counts, not the shortest.</param>
internal sealed class DatagramReceiver(long streamLatenessUs = DatagramReceiver.LatenessUs, bool knowsQueues = false)
{
    /// <summary>A packet counts as missing so long after the slowest of its flow's lanes should have brought it: two retransmissions of a quick line.</summary>
    internal const long LatenessUs = 40_000;

    /// <summary>And never longer than this: a satellite beside a fibre.</summary>
    internal const long MaxWaitUs = 500_000;

    /// <summary>Held for all flows together; beyond that the oldest go on as they are.</summary>
    internal const long MaxHeldBytes = 16 << 20;

    /// <summary>How long a flow counts as using a lane after a packet on it: twice this at most.</summary>
    private const long LaneMemoryUs = 500_000;

    private readonly Lock _gate = new();
    private readonly DatagramFlow?[] _flows = new DatagramFlow?[FlowTable.Slots];
    private readonly LaneTransit[] _transits = new LaneTransit[64];
    private readonly List<int> _holding = [];
    private readonly UdpMerger _merger = new();
    private long _heldBytes;
    private short _reference;
    private bool _hasReference;

    /// <summary>Null: nobody wants packets, they are counted and dropped.</summary>
    internal IPacketSink? Sink { get; set; }

    /// <summary>Something waits for a deadline: <see cref="Tick"/> wants to be called.</summary>
    internal bool IsHolding => Volatile.Read(ref _heldBytes) > 0;

    internal long HeldBytes => Volatile.Read(ref _heldBytes);

    internal DatagramReceiverCounts Counts
    {
        get
        {
            lock (_gate)
            {
                return _counts;
            }
        }
    }

    private DatagramReceiverCounts _counts;

    /// <param name="lane">Its number in the session.</param>
    /// <param name="flowLanes">See <see cref="HeldDatagram"/>.</param>
    internal void Accept(uint lane, in TrunkFrame frame, ReadOnlySpan<byte> packet, long nowUs, int flowLanes = 0)
    {
        lock (_gate)
        {
            if (!DatagramFrame.TryRead(frame, out var datagram))
            {
                _counts.Malformed++;
                return;
            }

            _counts.Packets++;
            _counts.Bytes += packet.Length;
            var flow = _flows[datagram.Slot] ??= new DatagramFlow();
            long transit = Transit(lane, datagram.SentMs, nowUs);
            flow.Uses((int)(lane & 63), datagram.Sequence, nowUs, LaneMemoryUs);
            if (datagram.IsRealTime)
            {
                if (!flow.SeeRealTime(datagram.Sequence))
                {
                    _counts.Duplicates++;
                    return;
                }

                Sink?.Deliver(packet, datagram.Meta);
                Release(flow, datagram.Slot, long.MinValue);
                return;
            }

            switch (flow.Place(datagram.Sequence))
            {
                case DatagramPlace.Next when flow.HeldCount == 0:
                    Sink?.Deliver(packet, datagram.Meta);
                    flow.Advance(datagram.Sequence);
                    break;
                case DatagramPlace.Next:
                    // Others have waited for this one, often many.
                    _merger.Add(packet, datagram.Meta, Sink);
                    flow.Advance(datagram.Sequence);
                    Release(flow, datagram.Slot, long.MinValue);
                    break;
                case DatagramPlace.Ahead:
                    // A lane that the flow has only begun to use is known to the sender alone.
                    long wait = Math.Clamp(Math.Max(Slowest(flow) - transit, datagram.BehindUs) + streamLatenessUs, 0, MaxWaitUs);
                    Hold(flow, datagram, packet, nowUs, nowUs + wait, flowLanes);
                    break;
                case DatagramPlace.Late:
                    // Its place was given up already. Whoever cares for order drops it himself; nobody else could bring it again.
                    _counts.Late++;
                    Sink?.Deliver(packet, datagram.Meta);
                    break;
                default:
                    _counts.Duplicates++;
                    break;
            }
        }
    }

    /// <summary>Gives up what is overdue.</summary>
    internal void Tick(long nowUs)
    {
        if (!IsHolding)
        {
            return;
        }

        lock (_gate)
        {
            for (int i = _holding.Count - 1; i >= 0; i--)
            {
                int slot = _holding[i];
                Release(_flows[slot]!, slot, nowUs);
            }
        }
    }

    /// <summary>The session has ended: what is held goes nowhere.</summary>
    internal void Clear()
    {
        lock (_gate)
        {
            foreach (int slot in _holding)
            {
                _flows[slot]!.Drop();
            }

            _holding.Clear();
            _heldBytes = 0;
            Sink = null;
        }
    }

    private void Hold(DatagramFlow flow, in DatagramFrame datagram, ReadOnlySpan<byte> packet, long nowUs, long deadlineUs, int flowLanes)
    {
        if (flow.HeldCount == 0)
        {
            _holding.Add(datagram.Slot);
        }

        byte[] buffer = PacketPool.Shared.Rent(packet.Length);
        packet.CopyTo(buffer);
        if (!flow.TryHold(datagram.Sequence, new HeldDatagram(buffer, packet.Length, datagram.Meta, deadlineUs, (byte)flowLanes)))
        {
            // Came twice, or further ahead than anything waits: what is held goes on, and this is the next.
            PacketPool.Shared.Return(buffer);
            Release(flow, datagram.Slot, long.MaxValue);
            if (flow.Place(datagram.Sequence) is DatagramPlace.Next or DatagramPlace.Ahead)
            {
                Sink?.Deliver(packet, datagram.Meta);
                flow.Advance(datagram.Sequence);
            }

            return;
        }

        _counts.Held++;
        _heldBytes += packet.Length;
        if (_heldBytes > MaxHeldBytes)
        {
            Release(flow, datagram.Slot, long.MaxValue);
        }
        else
        {
            Release(flow, datagram.Slot, nowUs);
        }
    }

    /// <summary>Hands on what is next, and what waits behind gaps whose time is over.</summary>
    private void Release(DatagramFlow flow, int slot, long nowUs)
    {
        if (flow.HeldCount == 0)
        {
            return;
        }

        while (flow.TryTake(nowUs, out var held, out long missing))
        {
            _counts.Missing += missing;
            _heldBytes -= held.Length;
            _merger.Add(held.Buffer.AsSpan(0, held.Length), held.Meta, Sink);
            PacketPool.Shared.Return(held.Buffer);
        }

        _merger.Flush(Sink);

        if (flow.HeldCount == 0)
        {
            _holding.Remove(slot);
        }
    }

    /// <summary>What this packet took, on a scale whose zero nobody knows but which is the same for all lanes.</summary>
    private long Transit(uint lane, ushort sentMs, long nowUs)
    {
        short raw = (short)((nowUs / 1000) - sentMs);
        if (!_hasReference)
        {
            _hasReference = true;
            _reference = raw;
        }

        // Differences stay small while the clocks drift: the reference follows.
        short relative = (short)(raw - _reference);
        if (Math.Abs((int)relative) > 10_000)
        {
            _reference = raw;
            Array.Clear(_transits);
            relative = 0;
        }

        long transit = relative * 1000L;
        _transits[lane & 63].Note(transit, nowUs);
        return transit;
    }

    private long Slowest(DatagramFlow flow)
    {
        long slowest = long.MinValue;
        ulong lanes = flow.Lanes;
        while (lanes != 0)
        {
            int lane = System.Numerics.BitOperations.TrailingZeroCount(lanes);
            lanes &= lanes - 1;
            slowest = Math.Max(slowest, knowsQueues ? _transits[lane].MostUs : _transits[lane].BaseUs);
        }

        return slowest;
    }

    /// <summary>The least of a lane's transits in the last seconds.</summary>
    private struct LaneTransit
    {
        private const long WindowUs = 5_000_000;
        private const long MostWindowUs = 500_000;

        private long _fromUs;
        private long _current;
        private long _before;
        private bool _isUsed;
        private long _mostFromUs;
        private long _mostNow;
        private long _mostBefore;

        internal readonly long BaseUs => Math.Min(_current, _before);

        /// <summary>The longest of the last moment.</summary>
        internal readonly long MostUs => Math.Max(_mostNow, _mostBefore);

        internal void Note(long transitUs, long nowUs)
        {
            if (!_isUsed || nowUs - _mostFromUs > MostWindowUs)
            {
                _mostBefore = !_isUsed || nowUs - _mostFromUs > 2 * MostWindowUs ? transitUs : _mostNow;
                (_mostFromUs, _mostNow) = (nowUs, transitUs);
            }

            _mostNow = Math.Max(_mostNow, transitUs);
            if (!_isUsed || nowUs - _fromUs > 2 * WindowUs)
            {
                _isUsed = true;
                (_fromUs, _current, _before) = (nowUs, transitUs, transitUs);
            }
            else if (nowUs - _fromUs > WindowUs)
            {
                (_fromUs, _before, _current) = (nowUs, _current, transitUs);
            }
            else
            {
                _current = Math.Min(_current, transitUs);
            }
        }
    }
}

/// <summary>Since the session began.</summary>
internal struct DatagramReceiverCounts
{
    internal long Packets;
    internal long Bytes;

    /// <summary>Held back for others.</summary>
    internal long Held;

    /// <summary>Sequence numbers that were given up.</summary>
    internal long Missing;

    /// <summary>Of those, what came all the same.</summary>
    internal long Late;

    internal long Duplicates;
    internal long Malformed;
}
