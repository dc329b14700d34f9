using System.Buffers.Binary;
using System.Net.Sockets;

namespace Aggregator.Gateway.Links;

/// <summary>ICMP echo (RFC 792, RFC 4443 section 4) with a token by which only our own answers count.</summary>
internal static class EchoPacket
{
    internal const int Bytes = 8 + sizeof(ulong);

    private const byte RequestV4 = 8;
    private const byte ReplyV4 = 0;
    private const byte RequestV6 = 128;
    private const byte ReplyV6 = 129;

    /// <param name="packet">All of it is sent: <see cref="Bytes"/> at least, zeros behind them.</param>
    internal static void Write(Span<byte> packet, AddressFamily family, ushort sequence, ulong token)
    {
        packet.Clear();
        packet[0] = family == AddressFamily.InterNetwork ? RequestV4 : RequestV6;
        // The identifier may be the kernel's (datagram sockets write it), so nothing depends on it.
        BinaryPrimitives.WriteUInt16BigEndian(packet[4..], (ushort)token);
        BinaryPrimitives.WriteUInt16BigEndian(packet[6..], sequence);
        BinaryPrimitives.WriteUInt64BigEndian(packet[8..], token);
        if (family == AddressFamily.InterNetwork)
        {
            // ICMPv6's covers a pseudo-header and is the kernel's work.
            BinaryPrimitives.WriteUInt16BigEndian(packet[2..], Checksum(packet));
        }
    }

    /// <summary>Reads an answer to a request with <paramref name="token"/>. A raw IPv4 socket delivers the IP header too.</summary>
    internal static bool TryReadReply(ReadOnlySpan<byte> packet, AddressFamily family, bool withIpHeader, ulong token, out ushort sequence)
    {
        sequence = 0;
        if (withIpHeader)
        {
            if (packet.IsEmpty)
            {
                return false;
            }

            int header = (packet[0] & 0x0F) * 4;
            if (header < 20 || header > packet.Length)
            {
                return false;
            }

            packet = packet[header..];
        }

        byte expected = family == AddressFamily.InterNetwork ? ReplyV4 : ReplyV6;
        if (packet.Length < Bytes || packet[0] != expected || packet[1] != 0 || BinaryPrimitives.ReadUInt64BigEndian(packet[8..]) != token)
        {
            return false;
        }

        sequence = BinaryPrimitives.ReadUInt16BigEndian(packet[6..]);
        return true;
    }

    /// <summary>RFC 1071.</summary>
    internal static ushort Checksum(ReadOnlySpan<byte> bytes)
    {
        uint sum = 0;
        for (; bytes.Length > 1; bytes = bytes[2..])
        {
            sum += BinaryPrimitives.ReadUInt16BigEndian(bytes);
        }

        if (!bytes.IsEmpty)
        {
            sum += (uint)bytes[0] << 8;
        }

        sum = (sum & 0xFFFF) + (sum >> 16);
        return (ushort)~(sum + (sum >> 16));
    }
}
