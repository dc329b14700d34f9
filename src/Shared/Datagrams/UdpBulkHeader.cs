using System.Buffers.Binary;

namespace Aggregator.Datagrams;

/// <summary>
/// What stands before a packet that is not real-time, in the place of <see cref="UdpHeader"/> and a DATAGRAM frame's header, and half as long as both: a packet of
/// 1,428 bytes then fits a line of 1,500. Numbers are cut; each is completed from what is known (proto/datagrams.md).
/// </summary>
/// <param name="Flags">As in a DATAGRAM frame, and <see cref="FlowLanes"/>.</param>
/// <param name="LaneSequence">The lowest 32 bits.</param>
/// <param name="FlowSequence">The lowest 24 bits.</param>
internal readonly record struct UdpBulkHeader(byte Lane, byte Flags, uint SentUs, uint LaneSequence, ushort Slot, uint FlowSequence)
{
    internal const int Bytes = 16;

    private const int FlowSequenceBits = 24;

    /// <summary>Bits 0, 1 and 3, which a packet that is neither a super-packet nor real-time has no use for, tell how many lanes its flow uses; 7: that many or more.</summary>
    private const byte LaneBits = 0b1011;

    /// <summary>Of the DATAGRAM frame.</summary>
    internal byte FrameFlags => (byte)(Flags & ~LaneBits);

    internal int FlowLanes => (Flags & 3) | ((Flags & 8) >> 1);

    internal static byte WithLanes(byte frameFlags, int lanes)
    {
        int told = Math.Min(lanes, Trunk.DatagramFlow.ManyLanes);
        return (byte)((frameFlags & ~LaneBits) | (told & 3) | ((told & 4) << 1));
    }

    internal void Write(Span<byte> to)
    {
        to[0] = (byte)UdpDatagramType.Bulk;
        to[1] = Lane;
        to[2] = Flags;
        to[3] = (byte)(FlowSequence >> 16);
        BinaryPrimitives.WriteUInt32BigEndian(to[4..], SentUs);
        BinaryPrimitives.WriteUInt32BigEndian(to[8..], LaneSequence);
        BinaryPrimitives.WriteUInt16BigEndian(to[12..], Slot);
        BinaryPrimitives.WriteUInt16BigEndian(to[14..], (ushort)FlowSequence);
    }

    /// <summary>False: too short, or not of this version.</summary>
    internal static bool TryRead(ReadOnlySpan<byte> from, out UdpBulkHeader header)
    {
        header = default;
        if (from.Length < Bytes || from[0] != (byte)UdpDatagramType.Bulk || from[1] >= UdpLanes.MaxLanes)
        {
            return false;
        }

        header = new UdpBulkHeader(
            from[1],
            from[2],
            BinaryPrimitives.ReadUInt32BigEndian(from[4..]),
            BinaryPrimitives.ReadUInt32BigEndian(from[8..]),
            BinaryPrimitives.ReadUInt16BigEndian(from[12..]),
            ((uint)from[3] << 16) | BinaryPrimitives.ReadUInt16BigEndian(from[14..]));
        return header.Slot < Packets.FlowTable.Slots;
    }

    /// <summary>The number with these lowest 32 bits that is nearest to <paramref name="known"/>.</summary>
    internal static ulong Complete(uint low, ulong known) => known + (ulong)(long)(int)(low - (uint)known);

    /// <summary>Of a flow's sequence: the number with these lowest 24 bits that is nearest.</summary>
    internal static uint CompleteFlow(uint low, uint known)
    {
        int difference = (int)((low - known) << (32 - FlowSequenceBits)) >> (32 - FlowSequenceBits);
        return known + (uint)difference;
    }
}
