using System.Buffers.Binary;

namespace Aggregator.Packets;

/// <summary>Where things are in an IP packet. Every offset lies within the packet that it was read from.</summary>
internal readonly record struct PacketInfo
{
    internal const byte Icmp = 1;
    internal const byte Tcp = 6;
    internal const byte Udp = 17;
    internal const byte IcmpV6 = 58;

    internal const int MinTcpHeaderBytes = 20;
    internal const int UdpHeaderBytes = 8;
    internal const int MinV4Bytes = 20;
    internal const int V6Bytes = 40;

    /// <summary>The total length field of IPv4 has 16 bits; the trunk's frames likewise.</summary>
    internal const int MaxBytes = 65_535;

    /// <summary>IPv6 extension headers in a row; RFC 8200 section 4.1 recommends each kind once at most.</summary>
    private const int MaxExtensions = 8;

    internal int Length { get; private init; }

    internal bool IsV6 { get; private init; }

    /// <summary>Behind all extension headers.</summary>
    internal byte Protocol { get; private init; }

    /// <summary>Where the transport's header begins.</summary>
    internal int TransportAt { get; private init; }

    /// <summary>The transport's header, options included: of TCP and UDP where they are whole; else 0 (other protocols, later fragments, truncated headers).</summary>
    internal int TransportBytes { get; private init; }

    /// <summary>One of several pieces; ports are in the first only and are not read from it either.</summary>
    internal bool IsFragment { get; private init; }

    /// <summary>Differentiated services, RFC 2474.</summary>
    internal byte Dscp { get; private init; }

    /// <summary>0 where there are no ports.</summary>
    internal ushort SourcePort { get; private init; }

    internal ushort DestinationPort { get; private init; }

    internal static ReadOnlySpan<byte> Source(ReadOnlySpan<byte> packet) => packet[0] >> 4 == 6 ? packet.Slice(8, 16) : packet.Slice(12, 4);

    internal static ReadOnlySpan<byte> Destination(ReadOnlySpan<byte> packet) => packet[0] >> 4 == 6 ? packet.Slice(24, 16) : packet.Slice(16, 4);

    /// <summary>False: no IP packet, or one whose lengths do not agree with each other.</summary>
    internal static bool TryRead(ReadOnlySpan<byte> packet, out PacketInfo info)
    {
        info = default;
        return packet.Length is >= MinV4Bytes and <= MaxBytes && (packet[0] >> 4) switch
        {
            4 => TryReadV4(packet, out info),
            6 => TryReadV6(packet, out info),
            _ => false,
        };
    }

    private static bool TryReadV4(ReadOnlySpan<byte> packet, out PacketInfo info)
    {
        int header = (packet[0] & 15) * 4;
        int fragment = BinaryPrimitives.ReadUInt16BigEndian(packet[6..]) & 0x3fff;
        info = default;
        if (header < MinV4Bytes || header > packet.Length || BinaryPrimitives.ReadUInt16BigEndian(packet[2..]) != packet.Length)
        {
            return false;
        }

        info = Transport(packet, packet[9], header, fragment != 0) with { Dscp = (byte)(packet[1] >> 2) };
        return true;
    }

    private static bool TryReadV6(ReadOnlySpan<byte> packet, out PacketInfo info)
    {
        info = default;
        if (packet.Length < V6Bytes || BinaryPrimitives.ReadUInt16BigEndian(packet[4..]) + V6Bytes != packet.Length)
        {
            return false;
        }

        byte next = packet[6];
        int at = V6Bytes;
        bool fragment = false;
        for (int i = 0; i < MaxExtensions && IsExtension(next); i++)
        {
            if (packet.Length - at < 8)
            {
                return false;
            }

            // RFC 8200 sections 4.3 to 4.6; the authentication header counts in words of four bytes (RFC 4302).
            int length = next switch
            {
                44 => 8,
                51 => (packet[at + 1] + 2) * 4,
                _ => (packet[at + 1] + 1) * 8,
            };
            fragment |= next == 44 && (BinaryPrimitives.ReadUInt16BigEndian(packet[(at + 2)..]) & 0xfff9) != 0;
            bool later = next == 44 && (BinaryPrimitives.ReadUInt16BigEndian(packet[(at + 2)..]) & 0xfff8) != 0;
            next = packet[at];
            at += length;
            if (at > packet.Length)
            {
                return false;
            }

            if (later)
            {
                // What follows is data from the middle of something.
                break;
            }
        }

        int traffic = (BinaryPrimitives.ReadUInt16BigEndian(packet) >> 4) & 0xff;
        info = Transport(packet, next, at, fragment) with { IsV6 = true, Dscp = (byte)(traffic >> 2) };
        return true;
    }

    /// <summary>Hop-by-hop, routing, fragment, authentication, destination options, mobility.</summary>
    private static bool IsExtension(byte header) => header is 0 or 43 or 44 or 51 or 60 or 135;

    private static PacketInfo Transport(ReadOnlySpan<byte> packet, byte protocol, int at, bool isFragment)
    {
        var info = new PacketInfo { Length = packet.Length, Protocol = protocol, TransportAt = at, IsFragment = isFragment };
        if (isFragment || protocol is not (Tcp or Udp))
        {
            return info;
        }

        var rest = packet[at..];
        int header = protocol == Udp ? UdpHeaderBytes : rest.Length >= MinTcpHeaderBytes ? (rest[12] >> 4) * 4 : int.MaxValue;
        return header > rest.Length || (protocol == Tcp && header < MinTcpHeaderBytes)
            ? info
            : info with
            {
                TransportBytes = header,
                SourcePort = BinaryPrimitives.ReadUInt16BigEndian(rest),
                DestinationPort = BinaryPrimitives.ReadUInt16BigEndian(rest[2..]),
            };
    }
}
