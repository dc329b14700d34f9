namespace Aggregator.Packets;

/// <summary>How a super-packet is to be cut where somebody must cut it.</summary>
internal enum GsoKind : byte
{
    /// <summary>An ordinary packet.</summary>
    None = 0,

    /// <summary>TCP over either family: segments of <see cref="PacketMeta.SegmentBytes"/>, consecutive sequence numbers.</summary>
    Tcp = 1,

    /// <summary>UDP: datagrams of <see cref="PacketMeta.SegmentBytes"/> each, the last may be shorter (UDP_SEGMENT).</summary>
    Udp = 2,
}

/// <summary>What travels beside a packet's bytes, in the terms of struct virtio_net_hdr but without what the bytes themselves say.</summary>
/// <param name="Gso">Whether and how it is a super-packet.</param>
/// <param name="SegmentBytes">Payload of a segment; 0 for an ordinary packet.</param>
/// <param name="IsPartial">The checksum field of TCP or UDP holds the pseudo header's sum only; whoever puts the packet on a wire completes it.</param>
internal readonly record struct PacketMeta(GsoKind Gso, ushort SegmentBytes, bool IsPartial)
{
    /// <summary>
    /// Payload of a segment below this is nobody's: TCP_MIN_SND_MSS of linux/tcp.h. A peer that claims less wants the kernel to make thousands of packets of one.
    /// </summary>
    internal const int MinTcpSegmentBytes = 48;

    /// <summary>UDP_MAX_SEGMENTS of linux/udp.h.</summary>
    internal const int MaxUdpSegments = 128;

    /// <summary>Bits of a frame's flags: kind in the lowest two, then the checksum.</summary>
    internal byte ToFlags() => (byte)((byte)Gso | (IsPartial ? 4 : 0));

    /// <summary>False: no flags that this version knows.</summary>
    internal static bool TryFromFlags(byte flags, ushort segmentBytes, out PacketMeta meta)
    {
        meta = new PacketMeta((GsoKind)(flags & 3), segmentBytes, (flags & 4) != 0);
        return (flags & 3) != 3 && (meta.Gso == GsoKind.None) == (segmentBytes == 0);
    }

    /// <summary>Whether the bytes can be what this says of them. A lie would be found by the kernel late, or not at all.</summary>
    internal bool Fits(in PacketInfo packet)
    {
        bool tcp = packet is { Protocol: PacketInfo.Tcp, TransportBytes: >= PacketInfo.MinTcpHeaderBytes };
        bool udp = packet is { Protocol: PacketInfo.Udp, TransportBytes: PacketInfo.UdpHeaderBytes };
        int payload = packet.Length - packet.TransportAt - packet.TransportBytes;
        return Gso switch
        {
            GsoKind.None => SegmentBytes == 0 && (!IsPartial || ((tcp || udp) && !packet.IsFragment)),
            GsoKind.Tcp => tcp && IsPartial && !packet.IsFragment && SegmentBytes >= MinTcpSegmentBytes && payload > SegmentBytes,
            GsoKind.Udp => udp && IsPartial && !packet.IsFragment && SegmentBytes > 0 && payload > SegmentBytes
                && payload <= SegmentBytes * MaxUdpSegments,
            _ => false,
        };
    }
}
