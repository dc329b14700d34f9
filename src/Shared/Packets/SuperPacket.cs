using System.Buffers.Binary;

namespace Aggregator.Packets;

/// <summary>
/// Cuts super-packets: into smaller ones where a lane is too slow to be held up by a whole one, into single packets where the other end's
/// kernel does not take them. What tcp_gso_segment and __udp_gso_segment do in the kernel, but checksums stay partial.
/// </summary>
internal static class SuperPacket
{
    private const byte Fin = 0x01;
    private const byte Psh = 0x08;
    private const byte Cwr = 0x80;

    /// <summary>Segments in it; 1 for an ordinary packet.</summary>
    internal static int Segments(in PacketInfo info, in PacketMeta meta) =>
        meta.Gso == GsoKind.None ? 1 : (Payload(info) + meta.SegmentBytes - 1) / meta.SegmentBytes;

    /// <summary>Bytes of the part that <see cref="WritePart"/> makes.</summary>
    internal static int PartBytes(in PacketInfo info, in PacketMeta meta, int first, int count) =>
        info.TransportAt + info.TransportBytes + Math.Min(Payload(info) - (first * meta.SegmentBytes), count * meta.SegmentBytes);

    /// <summary>How many segments a part of at most <paramref name="bytes"/> has; at least one.</summary>
    internal static int SegmentsWithin(in PacketInfo info, in PacketMeta meta, int bytes) =>
        Math.Max(1, (bytes - info.TransportAt - info.TransportBytes) / meta.SegmentBytes);

    /// <summary>Writes some of a super-packet's segments as a packet of its own. The super-packet <see cref="PacketMeta.Fits"/>.</summary>
    /// <param name="first">The first segment, from 0 on.</param>
    /// <param name="count">At least 1; what lies beyond the end is left out.</param>
    /// <returns>What the part is, and its length.</returns>
    internal static (PacketMeta Meta, int Length) WritePart(
        ReadOnlySpan<byte> packet, in PacketInfo info, in PacketMeta meta, int first, int count, Span<byte> part)
    {
        int header = info.TransportAt + info.TransportBytes;
        int from = first * meta.SegmentBytes;
        int payload = Math.Min(Payload(info) - from, count * meta.SegmentBytes);
        int length = header + payload;
        packet[..header].CopyTo(part);
        packet.Slice(header + from, payload).CopyTo(part[header..]);
        part = part[..length];
        if (info.IsV6)
        {
            BinaryPrimitives.WriteUInt16BigEndian(part[4..], (ushort)(length - PacketInfo.V6Bytes));
        }
        else
        {
            BinaryPrimitives.WriteUInt16BigEndian(part[2..], (ushort)length);
            ushort id = BinaryPrimitives.ReadUInt16BigEndian(part[4..]);
            BinaryPrimitives.WriteUInt16BigEndian(part[4..], (ushort)(id + first));
            Checksum.WriteV4Header(part);
        }

        var transport = part[info.TransportAt..];
        if (meta.Gso == GsoKind.Tcp)
        {
            uint sequence = BinaryPrimitives.ReadUInt32BigEndian(transport[4..]);
            BinaryPrimitives.WriteUInt32BigEndian(transport[4..], sequence + (uint)from);
            bool isLast = from + payload == Payload(info);
            transport[13] &= (byte)~((isLast ? 0 : Fin | Psh) | (first == 0 ? 0 : Cwr));
        }
        else
        {
            BinaryPrimitives.WriteUInt16BigEndian(transport[4..], (ushort)(PacketInfo.UdpHeaderBytes + payload));
        }

        ulong pseudo = Checksum.PseudoHeader(part, info.Protocol, length - info.TransportAt);
        BinaryPrimitives.WriteUInt16BigEndian(transport[Checksum.FieldAt(info.Protocol)..], Checksum.Fold(pseudo));
        bool isSuper = payload > meta.SegmentBytes;
        return (new PacketMeta(isSuper ? meta.Gso : GsoKind.None, isSuper ? meta.SegmentBytes : (ushort)0, IsPartial: true), length);
    }

    private static int Payload(in PacketInfo info) => info.Length - info.TransportAt - info.TransportBytes;
}
