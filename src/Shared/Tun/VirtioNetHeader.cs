using System.Runtime.InteropServices;
using Aggregator.Interop;
using Aggregator.Packets;

namespace Aggregator.Tun;

/// <summary>
/// struct virtio_net_hdr (linux/virtio_net.h), 10 bytes in host order in front of every packet of a TUN descriptor with IFF_VNET_HDR.
/// Of what it says only what the packet's own bytes do not say is taken over; the rest is made anew from the bytes.
/// </summary>
internal static class VirtioNetHeader
{
    internal const int Bytes = Libc.VIRTIO_NET_HDR_SIZE;

    /// <summary>Reads the kernel's header of a packet.</summary>
    /// <param name="header"><see cref="Bytes"/> bytes.</param>
    /// <param name="packet">Right behind it. A checksum that the kernel left open somewhere else than in TCP or UDP is completed in it.</param>
    /// <returns>False: header and packet do not agree.</returns>
    internal static bool TryRead(ReadOnlySpan<byte> header, Span<byte> packet, in PacketInfo info, out PacketMeta meta)
    {
        byte flags = header[0];
        byte kind = (byte)(header[1] & ~Libc.VIRTIO_NET_HDR_GSO_ECN);
        ushort segment = MemoryMarshal.Read<ushort>(header[4..]);
        ushort start = MemoryMarshal.Read<ushort>(header[6..]);
        ushort field = MemoryMarshal.Read<ushort>(header[8..]);
        bool partial = (flags & Libc.VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0;
        meta = default;
        if (partial && !(start == info.TransportAt && info.TransportBytes > 0 && field == Checksum.FieldAt(info.Protocol)))
        {
            if (kind != Libc.VIRTIO_NET_HDR_GSO_NONE || start > packet.Length || start + field + 2 > packet.Length)
            {
                return false;
            }

            Checksum.CompleteAt(packet, start, start + field, isUdp: false);
            partial = false;
        }

        GsoKind? gso = kind switch
        {
            Libc.VIRTIO_NET_HDR_GSO_NONE => GsoKind.None,
            Libc.VIRTIO_NET_HDR_GSO_TCPV4 when !info.IsV6 => GsoKind.Tcp,
            Libc.VIRTIO_NET_HDR_GSO_TCPV6 when info.IsV6 => GsoKind.Tcp,
            Libc.VIRTIO_NET_HDR_GSO_UDP_L4 => GsoKind.Udp,
            _ => null,
        };
        if (gso is null)
        {
            return false;
        }

        meta = new PacketMeta(gso.Value, gso == GsoKind.None ? (ushort)0 : segment, partial);
        if (gso != GsoKind.None && info.TransportBytes > 0 && info.Length - info.TransportAt - info.TransportBytes <= segment)
        {
            // One segment that the kernel did not care to call an ordinary packet.
            meta = new PacketMeta(GsoKind.None, 0, partial);
        }

        return meta.Fits(info);
    }

    /// <summary>Writes the header for a packet; <paramref name="meta"/> fits it.</summary>
    internal static void Write(Span<byte> header, in PacketInfo info, in PacketMeta meta)
    {
        header[..Bytes].Clear();
        if (meta.IsPartial)
        {
            header[0] = Libc.VIRTIO_NET_HDR_F_NEEDS_CSUM;
            Put(header[6..], (ushort)info.TransportAt);
            Put(header[8..], (ushort)Checksum.FieldAt(info.Protocol));
        }

        if (meta.Gso != GsoKind.None)
        {
            header[1] = meta.Gso == GsoKind.Udp ? Libc.VIRTIO_NET_HDR_GSO_UDP_L4
                : info.IsV6 ? Libc.VIRTIO_NET_HDR_GSO_TCPV6 : Libc.VIRTIO_NET_HDR_GSO_TCPV4;
            Put(header[2..], (ushort)(info.TransportAt + info.TransportBytes));
            Put(header[4..], meta.SegmentBytes);
        }
    }

    private static void Put(Span<byte> at, ushort value) => MemoryMarshal.Write(at, in value);
}
