using System.Buffers.Binary;

namespace Aggregator.Datagrams;

internal enum UdpDatagramType : byte
{
    /// <summary>The header of a DATAGRAM frame (proto/trunk.md) and an IP packet.</summary>
    Packet = 1,

    /// <summary>A <see cref="UdpReport"/>: what came over this lane.</summary>
    Report = 2,

    /// <summary>A <see cref="UdpBulkHeader"/> and an IP packet.</summary>
    Bulk = 3,
}

/// <summary>What stands at the beginning of the sealed part of every datagram; proto/datagrams.md.</summary>
/// <param name="Lane">Its number, given by the gateway.</param>
/// <param name="SentUs">The sender's clock in microseconds; wraps.</param>
/// <param name="Sequence">Of this lane and direction, from 1 on without gaps.</param>
internal readonly record struct UdpHeader(UdpDatagramType Type, byte Lane, uint SentUs, ulong Sequence)
{
    internal const int Bytes = 16;

    internal void Write(Span<byte> to)
    {
        to[0] = (byte)Type;
        to[1] = Lane;
        to[2] = 0;
        to[3] = 0;
        BinaryPrimitives.WriteUInt32BigEndian(to[4..], SentUs);
        BinaryPrimitives.WriteUInt64BigEndian(to[8..], Sequence);
    }

    /// <summary>False: too short, or not of this version.</summary>
    internal static bool TryRead(ReadOnlySpan<byte> from, out UdpHeader header)
    {
        header = default;
        if (from.Length < Bytes || from[0] is not ((byte)UdpDatagramType.Packet or (byte)UdpDatagramType.Report) || from[1] >= UdpLanes.MaxLanes || from[2] != 0 || from[3] != 0)
        {
            return false;
        }

        header = new UdpHeader((UdpDatagramType)from[0], from[1], BinaryPrimitives.ReadUInt32BigEndian(from[4..]), BinaryPrimitives.ReadUInt64BigEndian(from[8..]));
        return header.Sequence != 0;
    }
}

/// <summary>What one end tells the other of a lane's way to it.</summary>
/// <param name="IsBackup">The gateway's: this lane is used while no other is well.</param>
/// <param name="HasEcho">Anything came at all; the rest counts only then.</param>
/// <param name="EchoUs">The other's clock in its newest datagram.</param>
/// <param name="HeldUs">How long ago that came.</param>
/// <param name="Highest">Sequence number.</param>
/// <param name="Received">Datagrams, each once.</param>
/// <param name="JitterUs">RFC 3550 section 6.4.1.</param>
internal readonly record struct UdpReport(bool IsBackup, bool HasEcho, uint EchoUs, uint HeldUs, ulong Highest, ulong Received, uint JitterUs)
{
    internal const int Bytes = 32;

    private const byte EchoFlag = 1;
    private const byte BackupFlag = 2;

    internal void Write(Span<byte> to)
    {
        BinaryPrimitives.WriteUInt32BigEndian(to, (uint)((HasEcho ? EchoFlag : 0) | (IsBackup ? BackupFlag : 0)));
        BinaryPrimitives.WriteUInt32BigEndian(to[4..], EchoUs);
        BinaryPrimitives.WriteUInt32BigEndian(to[8..], HeldUs);
        BinaryPrimitives.WriteUInt32BigEndian(to[12..], JitterUs);
        BinaryPrimitives.WriteUInt64BigEndian(to[16..], Highest);
        BinaryPrimitives.WriteUInt64BigEndian(to[24..], Received);
    }

    /// <summary>False: too short, or counts that cannot be.</summary>
    internal static bool TryRead(ReadOnlySpan<byte> from, out UdpReport report)
    {
        report = default;
        if (from.Length < Bytes)
        {
            return false;
        }

        uint flags = BinaryPrimitives.ReadUInt32BigEndian(from);
        report = new UdpReport(
            (flags & BackupFlag) != 0,
            (flags & EchoFlag) != 0,
            BinaryPrimitives.ReadUInt32BigEndian(from[4..]),
            BinaryPrimitives.ReadUInt32BigEndian(from[8..]),
            BinaryPrimitives.ReadUInt64BigEndian(from[16..]),
            BinaryPrimitives.ReadUInt64BigEndian(from[24..]),
            BinaryPrimitives.ReadUInt32BigEndian(from[12..]));
        return report.Received <= report.Highest;
    }
}
