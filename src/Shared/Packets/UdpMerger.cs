using System.Buffers.Binary;

namespace Aggregator.Packets;

/// <summary>
/// Makes one super-packet of UDP packets of one flow that are handed on right after each other, as the kernel's UDP_GRO does: a packet costs the kernel ten times what a segment of
/// a super-packet does. What is no such packet goes on as it is and in its place. One thread at a time; allocates nothing after the first packet.
/// </summary>
internal sealed class UdpMerger
{
    /// <summary>UDP_MAX_SEGMENTS of linux/udp.h before 6.9.</summary>
    private const int MaxSegments = 64;

    /// <summary>Segments have a length.</summary>
    private const int LeastPayloadBytes = 1;

    private const int V4IdAt = 4;
    private const int V4LengthAt = 2;
    private const int V4ChecksumAt = 10;
    private const int V6PayloadAt = 4;
    private const byte DontFragment = 0x40;

    private readonly byte[] _super = new byte[PacketInfo.MaxBytes];
    private PacketInfo _first;
    private PacketMeta _firstMeta;
    private int _bytes;
    private int _segments;
    private bool _isFull;

    /// <summary>Hands on a packet, now or with the next ones.</summary>
    internal void Add(ReadOnlySpan<byte> packet, in PacketMeta meta, IPacketSink? sink)
    {
        if (_segments > 0 && TryAppend(packet, meta))
        {
            return;
        }

        Flush(sink);
        if (!CanBegin(packet, meta, out _first))
        {
            sink?.Deliver(packet, meta);
            return;
        }

        packet.CopyTo(_super);
        (_firstMeta, _bytes, _segments, _isFull) = (meta, packet.Length, 1, false);
    }

    /// <summary>Hands on what is left.</summary>
    internal void Flush(IPacketSink? sink)
    {
        int segments = _segments;
        _segments = 0;
        if (segments == 1)
        {
            sink?.Deliver(_super.AsSpan(0, _bytes), _firstMeta);
        }
        else if (segments > 1)
        {
            sink?.Deliver(Finish(), new PacketMeta(GsoKind.Udp, (ushort)(_first.Length - _first.TransportAt - _first.TransportBytes), IsPartial: true));
        }
    }

    private static bool CanBegin(ReadOnlySpan<byte> packet, in PacketMeta meta, out PacketInfo info) =>
        PacketInfo.TryRead(packet, out info) && meta.Gso == GsoKind.None && info is { Protocol: PacketInfo.Udp, TransportBytes: PacketInfo.UdpHeaderBytes, IsFragment: false }
        && info.TransportAt == (info.IsV6 ? PacketInfo.V6Bytes : PacketInfo.MinV4Bytes)
        && info.Length - info.TransportAt - info.TransportBytes >= LeastPayloadBytes
        && HasGoodChecksum(packet, meta, info);

    /// <summary>A super-packet's checksums are made anew: a packet that came with a wrong one, or with none, must stay what it is.</summary>
    private static bool HasGoodChecksum(ReadOnlySpan<byte> packet, in PacketMeta meta, in PacketInfo info)
    {
        var transport = packet[info.TransportAt..];
        if (BinaryPrimitives.ReadUInt16BigEndian(transport[4..]) != transport.Length)
        {
            return false;
        }

        return meta.IsPartial || (BinaryPrimitives.ReadUInt16BigEndian(transport[6..]) != 0
            && Checksum.Fold(Checksum.Sum(transport, Checksum.PseudoHeader(packet, PacketInfo.Udp, transport.Length))) == 0xffff);
    }

    private bool TryAppend(ReadOnlySpan<byte> packet, in PacketMeta meta)
    {
        if (_isFull || _segments == MaxSegments || packet.Length > _first.Length || !IsSameFlow(packet) || !CanBegin(packet, meta, out var info))
        {
            return false;
        }

        var payload = packet[(info.TransportAt + info.TransportBytes)..];
        if (_bytes + payload.Length > _super.Length)
        {
            return false;
        }

        payload.CopyTo(_super.AsSpan(_bytes));
        _bytes += payload.Length;
        _segments++;

        // Only the last may be shorter.
        _isFull = packet.Length < _first.Length;
        return true;
    }

    /// <summary>All of both headers is the same but lengths, checksums and IPv4's number, which counts up or does not matter.</summary>
    private bool IsSameFlow(ReadOnlySpan<byte> packet)
    {
        ReadOnlySpan<byte> first = _super;
        if (_first.IsV6)
        {
            return packet.Length > PacketInfo.V6Bytes + PacketInfo.UdpHeaderBytes && packet[..V6PayloadAt].SequenceEqual(first[..V6PayloadAt])
                && packet[6..(PacketInfo.V6Bytes + 4)].SequenceEqual(first[6..(PacketInfo.V6Bytes + 4)]);
        }

        return packet.Length > PacketInfo.MinV4Bytes + PacketInfo.UdpHeaderBytes && packet[..V4LengthAt].SequenceEqual(first[..V4LengthAt])
            && packet[6..V4ChecksumAt].SequenceEqual(first[6..V4ChecksumAt])
            && packet[12..(PacketInfo.MinV4Bytes + 4)].SequenceEqual(first[12..(PacketInfo.MinV4Bytes + 4)])
            && ((packet[6] & DontFragment) != 0
                || BinaryPrimitives.ReadUInt16BigEndian(packet[V4IdAt..]) == (ushort)(BinaryPrimitives.ReadUInt16BigEndian(first[V4IdAt..]) + _segments));
    }

    private Span<byte> Finish()
    {
        var super = _super.AsSpan(0, _bytes);
        int transport = _bytes - _first.TransportAt;
        if (_first.IsV6)
        {
            BinaryPrimitives.WriteUInt16BigEndian(super[V6PayloadAt..], (ushort)transport);
        }
        else
        {
            BinaryPrimitives.WriteUInt16BigEndian(super[V4LengthAt..], (ushort)_bytes);
            Checksum.WriteV4Header(super);
        }

        BinaryPrimitives.WriteUInt16BigEndian(super[(_first.TransportAt + 4)..], (ushort)transport);
        BinaryPrimitives.WriteUInt16BigEndian(super[(_first.TransportAt + 6)..], Checksum.Fold(Checksum.PseudoHeader(super, PacketInfo.Udp, transport)));
        return super;
    }
}
