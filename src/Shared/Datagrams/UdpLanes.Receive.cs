using Aggregator.Packets;
using Aggregator.Trunk;

namespace Aggregator.Datagrams;

/// <content>What comes: opened, counted, and given to whoever puts it in order.</content>
internal sealed partial class UdpLanes
{
    /// <summary>Takes in a datagram that claims to be of this session.</summary>
    /// <param name="scratch">At least <see cref="LongestDatagramBytes"/>, the caller's own.</param>
    /// <returns>The lane of a datagram that is the newest of its lane; -1 otherwise.</returns>
    internal int Receive(ReadOnlySpan<byte> datagram, Span<byte> scratch)
    {
        int newestOf = -1;
        UdpHeader header;
        TrunkFrame frame = default;
        int flowLanes = 0;
        int length;
        long nowUs;
        lock (_gate)
        {
            nowUs = NowUs;
            if (_isDisposed || datagram.Length > scratch.Length || (length = cipher.Open(datagram, scratch)) <= 0)
            {
                _counts.Malformed++;
                return -1;
            }

            bool isBulk = scratch[0] == (byte)UdpDatagramType.Bulk;
            UdpBulkHeader bulk = default;
            header = default;
            if (!(isBulk ? UdpBulkHeader.TryRead(scratch[..length], out bulk) : UdpHeader.TryRead(scratch[..length], out header)) || (isBulk && length < UdpBulkHeader.Bytes + PacketInfo.MinV4Bytes) || LaneOf(isBulk ? bulk.Lane : header.Lane) is not { } lane)
            {
                _counts.Malformed++;
                return -1;
            }

            if (isBulk)
            {
                ulong sequence = UdpBulkHeader.Complete(bulk.LaneSequence, lane.Highest);
                header = new UdpHeader(UdpDatagramType.Bulk, bulk.Lane, bulk.SentUs, sequence);
            }

            if (!lane.TryReceive(header, datagram.Length, nowUs, out bool isNewest))
            {
                _counts.Replayed++;
                return -1;
            }

            // 32 bits last for an hour; the reports keep the rest in step.
            _peerUs += (int)(header.SentUs - (uint)_peerUs);
            newestOf = isNewest ? header.Lane : -1;
            if (header.Type == UdpDatagramType.Report)
            {
                if (UdpReport.TryRead(scratch[UdpHeader.Bytes..length], out var report))
                {
                    lane.IsBackup = isGateway ? lane.IsBackup : report.IsBackup;
                    lane.Take(report, nowUs, Expected(lane, nowUs));
                    SendBulk(nowUs);
                }
                else
                {
                    _counts.Malformed++;
                }

                return newestOf;
            }

            Activate(nowUs);
            NotePacket(lane, nowUs);
            _counts.Received++;
            if (isBulk)
            {
                ReportBulk(lane, nowUs);
                frame = Frame(bulk, length - UdpBulkHeader.Bytes);
                flowLanes = bulk.FlowLanes;
            }
        }

        if (header.Type == UdpDatagramType.Bulk)
        {
            Receiver.Accept(header.Lane, frame, scratch[UdpBulkHeader.Bytes..length], nowUs, flowLanes);
        }
        else
        {
            Deliver(header, scratch[UdpHeader.Bytes..length], nowUs);
        }

        return newestOf;
    }

    private void Deliver(in UdpHeader header, ReadOnlySpan<byte> body, long nowUs)
    {
        TrunkFrame frame;
        try
        {
            if (body.Length < TrunkFrame.HeaderBytes)
            {
                CountMalformed();
                return;
            }

            frame = TrunkFrame.Read(body);
        }
        catch (TrunkProtocolException)
        {
            CountMalformed();
            return;
        }

        var packet = body[TrunkFrame.HeaderBytes..];
        if (frame.Type != TrunkFrameType.Datagram || frame.Length != packet.Length)
        {
            CountMalformed();
            return;
        }

        _received[frame.Stream & (FlowTable.Slots - 1)] = (uint)(frame.Value >> 32);
        Receiver.Accept(header.Lane, frame, packet, nowUs);
    }

    private void CountMalformed()
    {
        lock (_gate)
        {
            _counts.Malformed++;
        }
    }
}
