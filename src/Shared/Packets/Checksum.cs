using System.Buffers.Binary;

namespace Aggregator.Packets;

/// <summary>The internet checksum of RFC 1071: sums in ones' complement, big-endian words.</summary>
internal static class Checksum
{
    /// <summary>The sum of the bytes, an odd last one padded with 0, on top of <paramref name="start"/>. Not folded.</summary>
    internal static ulong Sum(ReadOnlySpan<byte> bytes, ulong start = 0)
    {
        // Halves of 32 bits are added as they are: folding brings their words together (RFC 1071 section 2, C).
        ulong sum = start;
        while (bytes.Length >= 8)
        {
            ulong word = BinaryPrimitives.ReadUInt64BigEndian(bytes);
            sum += (word >> 32) + (uint)word;
            bytes = bytes[8..];
        }

        while (bytes.Length >= 2)
        {
            sum += BinaryPrimitives.ReadUInt16BigEndian(bytes);
            bytes = bytes[2..];
        }

        return bytes.Length == 1 ? sum + ((ulong)bytes[0] << 8) : sum;
    }

    /// <summary>16 bits, not complemented.</summary>
    internal static ushort Fold(ulong sum)
    {
        while (sum >> 16 != 0)
        {
            sum = (sum >> 16) + (sum & 0xffff);
        }

        return (ushort)sum;
    }

    /// <summary>Of the pseudo header (RFC 9293 section 3.1, RFC 8200 section 8.1). Not folded.</summary>
    internal static ulong PseudoHeader(ReadOnlySpan<byte> packet, byte protocol, int transportLength) =>
        Sum(PacketInfo.Destination(packet), Sum(PacketInfo.Source(packet))) + protocol + (ulong)transportLength;

    /// <summary>Writes the header checksum of an IPv4 packet.</summary>
    internal static void WriteV4Header(Span<byte> packet)
    {
        packet[10] = packet[11] = 0;
        ushort sum = Fold(Sum(packet[..((packet[0] & 15) * 4)]));
        BinaryPrimitives.WriteUInt16BigEndian(packet[10..], (ushort)~sum);
    }

    /// <summary>Puts the pseudo header's sum where TCP and UDP have their checksum: what the kernel calls CHECKSUM_PARTIAL.</summary>
    internal static void WritePartial(Span<byte> packet, in PacketInfo info)
    {
        int length = info.Length - info.TransportAt;
        BinaryPrimitives.WriteUInt16BigEndian(packet[(info.TransportAt + FieldAt(info.Protocol))..], Fold(PseudoHeader(packet, info.Protocol, length)));
    }

    /// <summary>Completes a partial checksum of TCP or UDP.</summary>
    internal static void Complete(Span<byte> packet, in PacketInfo info)
    {
        int at = info.TransportAt + FieldAt(info.Protocol);
        CompleteAt(packet, info.TransportAt, at, isUdp: info.Protocol == PacketInfo.Udp);
    }

    /// <summary>Completes the checksum at <paramref name="field"/> over everything from <paramref name="start"/> on.</summary>
    internal static void CompleteAt(Span<byte> packet, int start, int field, bool isUdp)
    {
        ushort sum = (ushort)~Fold(Sum(packet[start..]));

        // RFC 768: 0 is how UDP says that there is none.
        BinaryPrimitives.WriteUInt16BigEndian(packet[field..], isUdp && sum == 0 ? (ushort)0xffff : sum);
    }

    /// <summary>From the beginning of the transport's header.</summary>
    internal static int FieldAt(byte protocol) => protocol == PacketInfo.Tcp ? 16 : 6;
}
