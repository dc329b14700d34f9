using System.Buffers.Binary;
using System.Net;
using Aggregator.Packets;

namespace Aggregator.Shared.Tests.Packets;

/// <summary>Well-formed packets, with checksums that a receiver would accept.</summary>
internal static class TestPackets
{
    internal static byte[] Udp(IPAddress from, IPAddress to, ushort sourcePort, ushort port, int payload, byte fill = 0x55)
    {
        byte[] transport = new byte[8 + payload];
        BinaryPrimitives.WriteUInt16BigEndian(transport, sourcePort);
        BinaryPrimitives.WriteUInt16BigEndian(transport.AsSpan(2), port);
        BinaryPrimitives.WriteUInt16BigEndian(transport.AsSpan(4), (ushort)transport.Length);
        transport.AsSpan(8).Fill(fill);
        return Ip(from, to, PacketInfo.Udp, transport);
    }

    internal static byte[] Tcp(IPAddress from, IPAddress to, uint sequence, byte flags, byte[] payload, int options = 0)
    {
        byte[] transport = new byte[20 + options + payload.Length];
        BinaryPrimitives.WriteUInt16BigEndian(transport, 40_000);
        BinaryPrimitives.WriteUInt16BigEndian(transport.AsSpan(2), 443);
        BinaryPrimitives.WriteUInt32BigEndian(transport.AsSpan(4), sequence);
        transport[12] = (byte)((20 + options) / 4 << 4);
        transport[13] = flags;
        transport.AsSpan(20, options).Fill(1);
        payload.CopyTo(transport, 20 + options);
        return Ip(from, to, PacketInfo.Tcp, transport);
    }

    internal static byte[] Ip(IPAddress from, IPAddress to, byte protocol, byte[] transport)
    {
        bool v6 = from.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6;
        byte[] packet = new byte[(v6 ? 40 : 20) + transport.Length];
        if (v6)
        {
            packet[0] = 0x60;
            BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(4), (ushort)transport.Length);
            packet[6] = protocol;
            packet[7] = 64;
            from.GetAddressBytes().CopyTo(packet, 8);
            to.GetAddressBytes().CopyTo(packet, 24);
        }
        else
        {
            packet[0] = 0x45;
            BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(2), (ushort)packet.Length);
            BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(4), 0x1234);
            packet[6] = 0x40;
            packet[8] = 64;
            packet[9] = protocol;
            from.GetAddressBytes().CopyTo(packet, 12);
            to.GetAddressBytes().CopyTo(packet, 16);
            Checksum.WriteV4Header(packet);
        }

        transport.CopyTo(packet, v6 ? 40 : 20);
        if (protocol is PacketInfo.Tcp or PacketInfo.Udp && PacketInfo.TryRead(packet, out var info) && info.TransportBytes > 0)
        {
            Checksum.WritePartial(packet, info);
            Checksum.Complete(packet, info);
        }

        return packet;
    }

    /// <summary>As the kernel gives it: the same packet with the checksum left open.</summary>
    internal static byte[] Partial(byte[] packet)
    {
        byte[] copy = [.. packet];
        PacketInfo.TryRead(copy, out var info);
        Checksum.WritePartial(copy, info);
        return copy;
    }

    /// <summary>A receiver's check of the transport's checksum, written down from RFC 1071 once more.</summary>
    internal static bool IsChecksumRight(ReadOnlySpan<byte> packet)
    {
        if (!PacketInfo.TryRead(packet, out var info))
        {
            return false;
        }

        var transport = packet[info.TransportAt..];
        ulong sum = (ulong)transport.Length + info.Protocol;
        foreach (byte[] part in (byte[][])[PacketInfo.Source(packet).ToArray(), PacketInfo.Destination(packet).ToArray(), transport.ToArray()])
        {
            for (int i = 0; i < part.Length; i++)
            {
                sum += (ulong)part[i] << ((i & 1) == 0 ? 8 : 0);
            }
        }

        while (sum > 0xffff)
        {
            sum = (sum & 0xffff) + (sum >> 16);
        }

        return sum == 0xffff;
    }
}
