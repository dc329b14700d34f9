using System.Buffers.Binary;

namespace Aggregator.Packets;

/// <summary>Tells a sender that its packet may not go where it wants: RFC 1812 section 5.2.7.1 and RFC 4443 section 3.1, "administratively prohibited".</summary>
internal static class IcmpError
{
    /// <summary>The longest that is made: IPv6's least MTU (RFC 4443 section 2.4 c).</summary>
    internal const int MaxBytes = 1280;

    /// <summary>RFC 1812 section 4.3.2.3.</summary>
    private const int MaxV4Bytes = 576;

    private const int IcmpHeaderBytes = 8;
    private const byte HopLimit = 64;
    private const byte V4Unreachable = 3;
    private const byte V4Prohibited = 13;
    private const byte V6Unreachable = 1;
    private const byte V6Prohibited = 1;

    /// <summary>Writes the answer, in the refused target's name: its sender has no other address of ours that it would know.</summary>
    /// <param name="packet">The refused one.</param>
    /// <param name="error">At least <see cref="MaxBytes"/>.</param>
    /// <returns>Its length; 0: such a packet is not answered (an error, a later fragment, from or to a group; RFC 1122 section 3.2.2, RFC 4443 section 2.4 e).</returns>
    internal static int Write(ReadOnlySpan<byte> packet, in PacketInfo info, Span<byte> error)
    {
        var source = PacketInfo.Source(packet);
        var target = PacketInfo.Destination(packet);
        if (IsGroup(source) || IsGroup(target) || IsLaterFragment(packet, info) || IsError(packet, info))
        {
            return 0;
        }

        int header = info.IsV6 ? PacketInfo.V6Bytes : PacketInfo.MinV4Bytes;
        int quoted = Math.Min(packet.Length, (info.IsV6 ? MaxBytes : MaxV4Bytes) - header - IcmpHeaderBytes);
        int length = header + IcmpHeaderBytes + quoted;
        error = error[..length];
        error[..(header + IcmpHeaderBytes)].Clear();
        packet[..quoted].CopyTo(error[(header + IcmpHeaderBytes)..]);
        var icmp = error[header..];
        if (info.IsV6)
        {
            error[0] = 0x60;
            BinaryPrimitives.WriteUInt16BigEndian(error[4..], (ushort)(IcmpHeaderBytes + quoted));
            (error[6], error[7]) = (PacketInfo.IcmpV6, HopLimit);
            target.CopyTo(error[8..]);
            source.CopyTo(error[24..]);
            (icmp[0], icmp[1]) = (V6Unreachable, V6Prohibited);
            ulong sum = Checksum.Sum(icmp, Checksum.PseudoHeader(error, PacketInfo.IcmpV6, icmp.Length));
            BinaryPrimitives.WriteUInt16BigEndian(icmp[2..], (ushort)~Checksum.Fold(sum));
            return length;
        }

        error[0] = 0x45;
        BinaryPrimitives.WriteUInt16BigEndian(error[2..], (ushort)length);
        (error[8], error[9]) = (HopLimit, PacketInfo.Icmp);
        target.CopyTo(error[12..]);
        source.CopyTo(error[16..]);
        Checksum.WriteV4Header(error);
        (icmp[0], icmp[1]) = (V4Unreachable, V4Prohibited);
        BinaryPrimitives.WriteUInt16BigEndian(icmp[2..], (ushort)~Checksum.Fold(Checksum.Sum(icmp)));
        return length;
    }

    /// <summary>Multicast, broadcast, or nobody.</summary>
    private static bool IsGroup(ReadOnlySpan<byte> address) =>
        address.Length == 4 ? address[0] >= 224 || address[0] == 0 : address[0] == 0xff || address.IndexOfAnyExcept((byte)0) < 0;

    private static bool IsLaterFragment(ReadOnlySpan<byte> packet, in PacketInfo info) =>
        info.IsFragment && (info.IsV6 || (BinaryPrimitives.ReadUInt16BigEndian(packet[6..]) & 0x1fff) != 0);

    /// <summary>Of ICMP only questions and their answers are answered: the rest are errors, or may be.</summary>
    private static bool IsError(ReadOnlySpan<byte> packet, in PacketInfo info) => info.Protocol switch
    {
        PacketInfo.Icmp => packet.Length <= info.TransportAt || packet[info.TransportAt] is not (0 or 8),
        PacketInfo.IcmpV6 => packet.Length <= info.TransportAt || packet[info.TransportAt] < 128,
        _ => false,
    };
}
