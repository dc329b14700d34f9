using Aggregator.Packets;

namespace Aggregator.Trunk;

/// <summary>
/// Packets that wait for a lane. Three classes; within a class each client has its turn (deficit round robin), within a client packets
/// keep their order. Short: the oldest of whoever has most goes when it is full, and what has waited too long is never sent.
/// Safe for several threads under <see cref="Gate"/>; the calls say who holds it. Allocates nothing in steady state.
/// </summary>
internal sealed class DatagramQueue
{
    private const int Clients = 256;

    /// <summary>A client's turn: one super-packet.</summary>
    private const int QuantumBytes = PacketInfo.MaxBytes;

    /// <summary>
    /// What may wait in each class, as time of the whole trunk and within bounds: enough to bridge what lanes need to show what they can, little enough
    /// that a full queue is no second of delay.
    /// </summary>
    private const double QueueSeconds = 0.06;
    private const long MinBytes = 192 * 1024;
    private const long MaxBytes = 12 << 20;

    /// <summary>
    /// While the rate is not known (<see cref="IsLearning"/>): 1 Gbit/s for <see cref="QueueSeconds"/>, and what has waited for so long is what goes. With 100 ms
    /// a satellite's lane took more of them (what has waited a quarter of its way), and everything behind these was held up for 0.4 s.
    /// </summary>
    private const long LearningBytes = 8 << 20;
    private const long LearningAgeUs = (long)(QueueSeconds * 1e6);

    /// <summary>Real-time packets have 64 KiB; a flood that calls itself so is none.</summary>
    private const long RealTimeBytes = 64 * 1024;

    /// <summary>What one client may send as real-time: this much a second, and so much at once; the rest of it is default.</summary>
    private const double RealTimeBytesPerSecond = 4_000_000 / 8;
    private const double RealTimeBurstBytes = 32 * 1024;

    /// <summary>Older than this it is of no use: a call has gone on, TCP has sent it again.</summary>
    private static readonly long[] MaxAgeUs = [80_000, 200_000, 300_000];

    private readonly Class[] _classes = [new(), new(), new()];
    private readonly int[] _waiting = new int[FlowTable.Slots];
    private readonly PacketClass[] _class = new PacketClass[FlowTable.Slots];
    private readonly double[] _realTimeTokens = [.. Enumerable.Repeat(RealTimeBurstBytes, Clients)];
    private readonly long[] _realTimeAtUs = new long[Clients];
    private int _count;

    internal Lock Gate { get; } = new();

    /// <summary>What all lanes together carry, as far as known; sizes the queue.</summary>
    internal double TotalBytesPerSecond { get; set; }

    /// <summary>That is not known yet: what waits is bound by its time in place of its bytes.</summary>
    internal bool IsLearning { get; set; }

    /// <summary>Packets that wait. May be read without the lock.</summary>
    internal int Count => Volatile.Read(ref _count);

    internal long Bytes => _classes[0].Bytes + _classes[1].Bytes + _classes[2].Bytes;

    /// <summary>Dropped because they had waited too long, or because the queue was full.</summary>
    internal long DroppedOld { get; private set; }

    internal long DroppedFull { get; private set; }

    /// <summary>Takes a packet in; the lock is taken here.</summary>
    internal void Enqueue(in Packet packet, in PacketFlow flow, long nowUs)
    {
        lock (Gate)
        {
            var wanted = flow.Class == PacketClass.RealTime && !TakeRealTime(flow.Client, packet.Length, nowUs) ? PacketClass.Default : flow.Class;

            // Packets of this flow that wait must not be overtaken, by a turn of its new class either.
            if (_waiting[flow.Slot] > 0 && wanted < _class[flow.Slot])
            {
                wanted = _class[flow.Slot];
            }
            else if (_waiting[flow.Slot] > 0 && wanted > _class[flow.Slot])
            {
                Move(flow, _classes[(int)_class[flow.Slot]], _classes[(int)wanted]);
            }

            _class[flow.Slot] = wanted;
            _waiting[flow.Slot]++;
            _count++;
            var to = _classes[(int)wanted];
            to.Add(flow.Client, new QueuedDatagram { Packet = packet, Slot = flow.Slot, QueuedAtUs = nowUs });
            long limit = wanted == PacketClass.RealTime ? RealTimeBytes : IsLearning ? LearningBytes : (long)Math.Clamp(TotalBytesPerSecond * QueueSeconds, MinBytes, MaxBytes);
            while (to.Bytes > limit)
            {
                DroppedFull++;
                Drop(to, to.Largest());
            }
        }
    }

    /// <summary>The packet whose turn it is in a class; what is too old goes first. Under the lock.</summary>
    /// <returns>False: none waits.</returns>
    internal bool TryHead(PacketClass of, long nowUs, out int client)
    {
        var from = _classes[(int)of];
        while (from.Active.Count > 0)
        {
            client = from.Active[0];
            ref var head = ref from.Queues[client].Items[0];
            if (nowUs - head.QueuedAtUs <= (IsLearning && from.Bytes > MinBytes ? LearningAgeUs : MaxAgeUs[(int)of]))
            {
                return true;
            }

            DroppedOld++;
            Drop(from, client);
        }

        client = 0;
        return false;
    }

    /// <summary>Clients that have something in a class. Under the lock.</summary>
    internal int ActiveClients(PacketClass of) => _classes[(int)of].Active.Count;

    /// <summary>The oldest packet of a client. Under the lock.</summary>
    internal ref QueuedDatagram Head(PacketClass of, int client) => ref _classes[(int)of].Queues[client].Items[0];

    /// <summary>The next client has its turn. Under the lock.</summary>
    internal void Pass(PacketClass of) => _classes[(int)of].Rotate();

    /// <summary>So many bytes of the head went; it is gone when <paramref name="whole"/>. Under the lock.</summary>
    internal void Sent(PacketClass of, int client, int bytes, bool whole)
    {
        var from = _classes[(int)of];
        from.Queues[client].Deficit -= bytes;
        if (whole)
        {
            Remove(from, client).Return();
        }

        if (from.Active.Count > 1 && from.Active[0] == client && from.Queues[client].Deficit <= 0)
        {
            from.Queues[client].Deficit += QuantumBytes;
            from.Rotate();
        }
    }

    /// <summary>The session has ended.</summary>
    internal void Clear()
    {
        lock (Gate)
        {
            foreach (var from in _classes)
            {
                while (from.Active.Count > 0)
                {
                    Drop(from, from.Active[0]);
                }
            }
        }
    }

    private bool TakeRealTime(int client, int bytes, long nowUs)
    {
        double tokens = Math.Min(
            RealTimeBurstBytes, _realTimeTokens[client] + (RealTimeBytesPerSecond * (nowUs - _realTimeAtUs[client]) / 1e6));
        _realTimeAtUs[client] = nowUs;
        bool enough = tokens >= bytes;
        _realTimeTokens[client] = enough ? tokens - bytes : tokens;
        return enough;
    }

    /// <summary>What waits of a flow, in its order; all else of its client stays where it is.</summary>
    private static void Move(in PacketFlow flow, Class from, Class to)
    {
        for (int left = from.Queues[flow.Client].Items.Count; left > 0; left--)
        {
            var item = from.Take(flow.Client);
            (item.Slot == flow.Slot ? to : from).Add(flow.Client, item);
        }
    }

    private void Drop(Class from, int client) => Remove(from, client).Return();

    private Packet Remove(Class from, int client)
    {
        var item = from.Take(client);
        _waiting[item.Slot]--;
        _count--;
        return item.Packet;
    }

    private sealed class Class
    {
        internal ClientQueue[] Queues { get; } = MakeQueues();

        /// <summary>Clients with packets, in turn.</summary>
        internal Fifo<int> Active;

        internal long Bytes { get; private set; }

        internal void Add(int client, in QueuedDatagram item)
        {
            var queue = Queues[client];
            if (queue.Items.Count == 0)
            {
                queue.Deficit = QuantumBytes;
                Active.Enqueue(client);
            }

            queue.Items.Enqueue(item);
            queue.Bytes += item.Packet.Length;
            Bytes += item.Packet.Length;
        }

        internal QueuedDatagram Take(int client)
        {
            var queue = Queues[client];
            var item = queue.Items.Dequeue();
            queue.Bytes -= item.Packet.Length;
            Bytes -= item.Packet.Length;
            if (queue.Items.Count == 0)
            {
                Forget(client);
            }

            return item;
        }

        internal void Rotate()
        {
            if (Active.Count > 1)
            {
                Active.Enqueue(Active.Dequeue());
            }
        }

        internal int Largest()
        {
            int largest = Active[0];
            for (int i = 1; i < Active.Count; i++)
            {
                largest = Queues[Active[i]].Bytes > Queues[largest].Bytes ? Active[i] : largest;
            }

            return largest;
        }

        private void Forget(int client)
        {
            // Mostly it is the first.
            for (int i = Active.Count; i > 0; i--)
            {
                int other = Active.Dequeue();
                if (other != client)
                {
                    Active.Enqueue(other);
                }
                else if (i == Active.Count + 1)
                {
                    return;
                }
            }
        }

        private static ClientQueue[] MakeQueues()
        {
            var queues = new ClientQueue[Clients];
            for (int i = 0; i < Clients; i++)
            {
                queues[i] = new ClientQueue();
            }

            return queues;
        }
    }

    private sealed class ClientQueue
    {
        internal Fifo<QueuedDatagram> Items;

        internal long Bytes { get; set; }

        internal long Deficit { get; set; }
    }
}

/// <summary>A packet that waits for a lane.</summary>
internal struct QueuedDatagram
{
    internal Packet Packet;
    internal int Slot;
    internal long QueuedAtUs;

    /// <summary>Segments of a super-packet that went already.</summary>
    internal int SegmentsSent;
}
