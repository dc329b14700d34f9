using Aggregator.Protocol.V1;
using Aggregator.Packets;

namespace Aggregator.Trunk;

/// <content>Packets: in through <see cref="IPacketPath"/>, out through the sink of <see cref="DatagramReceiver"/>.</content>
internal sealed partial class TrunkSession : IPacketPath
{
    internal DatagramReceiver DatagramReceiver { get; } = new();

    /// <summary>Downloads have pauses.</summary>
    private const long BusyMemoryUs = 2_000_000;

    bool IPacketPath.IsOpen => IsCarrying;

    bool IPacketPath.IsBusy => NowUs - _engine.BulkWaitedAtUs < BusyMemoryUs;

    void IPacketPath.Send(in Packet packet, in PacketFlow flow) => _engine.Datagrams.Enqueue(packet, flow, NowUs);

    void IPacketPath.Flush()
    {
        lock (Gate)
        {
            if (_end is null)
            {
                _engine.DatagramsWait(NowUs);
                KeepTicking();
            }
        }
    }

    /// <summary>Hands on the datagrams of a read, on the lane's own thread and without the session's lock.</summary>
    internal void DeliverDatagrams(TrunkLane lane, ReadOnlySpan<byte> read)
    {
        if (lane.Engine!.Datagrams is { IsEmpty: false } came)
        {
            came.Drain(lane.Id, read, DatagramReceiver, NowUs);
        }
    }

    internal DatagramSample SampleDatagrams()
    {
        lock (Gate)
        {
            var received = DatagramReceiver.Counts;
            var queue = _engine.Datagrams;
            return new DatagramSample(
                _engine.DatagramsSent, _engine.DatagramBytesSent, _engine.DatagramCopies, queue.DroppedOld + queue.DroppedFull, queue.Count, received);
        }
    }
}

/// <summary>Since the session began, but for what waits.</summary>
/// <param name="Sent">Packets and super-packets.</param>
/// <param name="Copies">Real-time packets that went twice.</param>
/// <param name="Dropped">Too old, or too many.</param>
internal readonly record struct DatagramSample(long Sent, long SentBytes, long Copies, long Dropped, int Waiting, DatagramReceiverCounts Received)
{
    /// <summary>In the words of `status --json`; the same at both ends.</summary>
    internal void Tell(PacketStatus status)
    {
        status.Dropped = (ulong)Dropped;
        status.Waiting = (ulong)Waiting;
        status.Doubled = (ulong)Copies;
        status.HeldForOrder = (ulong)Received.Held;
        status.Missing = (ulong)Received.Missing;
        status.Late = (ulong)Received.Late;
        status.Duplicates = (ulong)Received.Duplicates;
    }
}
