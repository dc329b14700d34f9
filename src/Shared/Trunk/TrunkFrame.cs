using System.Buffers.Binary;

namespace Aggregator.Trunk;

/// <summary>The kinds of frames. Those below 0x80 are counted: acknowledged, and sent again when their lane fails.</summary>
internal enum TrunkFrameType : byte
{
    /// <summary>Bytes of a stream from an offset on.</summary>
    Data = 0x01,

    /// <summary>A new stream: class in the flags, the opener's first window as value, the target as body.</summary>
    Open = 0x02,

    /// <summary>The answer to an open: the VPS's first window as value, a reply of the flow protocol as body.</summary>
    Reply = 0x03,

    /// <summary>The stream is over in both directions.</summary>
    Reset = 0x04,

    /// <summary>The stream may be sent up to the offset in the value.</summary>
    Credit = 0x05,

    /// <summary>The lane whose number is in the stream field has the role in the flags from now on.</summary>
    Role = 0x06,

    /// <summary>The session is over.</summary>
    Goodbye = 0x07,

    /// <summary>Counts of frames that came, lane by lane.</summary>
    Ack = 0x81,

    Ping = 0x82,

    Pong = 0x83,

    /// <summary>An IP packet: flow, sequence and time in the header (<see cref="DatagramFrame"/>). Never sent again.</summary>
    Datagram = 0x90,
}

/// <summary>A frame's header: 16 bytes before every frame (proto/trunk.md).</summary>
/// <param name="Value">An offset in the stream, a window or a nonce: as the type says.</param>
internal readonly record struct TrunkFrame(TrunkFrameType Type, byte Flags, int Length, uint Stream, long Value)
{
    internal const int HeaderBytes = 16;

    /// <summary>With the header, what fits into a TLS record of 16 KiB.</summary>
    internal const int MaxDataBytes = (16 * 1024) - HeaderBytes;

    /// <summary>Bodies of all frames but data.</summary>
    internal const int MaxControlBytes = 512;

    /// <summary>Data: the stream ends behind these bytes.</summary>
    internal const byte FinFlag = 0x01;

    /// <summary>Offsets stop well before a sum of them could overflow; a stream of 1 Tbit/s reaches it after a year.</summary>
    internal const long MaxOffset = 1L << 62;

    internal const int AckEntryBytes = 12;

    internal const int MaxAckEntries = 32;

    internal bool IsCounted => ((byte)Type & 0x80) == 0;

    internal bool IsFin => Type == TrunkFrameType.Data && (Flags & FinFlag) != 0;

    internal void Write(Span<byte> destination)
    {
        destination[0] = (byte)Type;
        destination[1] = Flags;
        BinaryPrimitives.WriteUInt16BigEndian(destination[2..], (ushort)Length);
        BinaryPrimitives.WriteUInt32BigEndian(destination[4..], Stream);
        BinaryPrimitives.WriteInt64BigEndian(destination[8..], Value);
    }

    /// <param name="source"><see cref="HeaderBytes"/> bytes.</param>
    /// <exception cref="TrunkProtocolException">No frame of this version, and none that may be skipped.</exception>
    internal static TrunkFrame Read(ReadOnlySpan<byte> source)
    {
        var frame = new TrunkFrame(
            (TrunkFrameType)source[0],
            source[1],
            BinaryPrimitives.ReadUInt16BigEndian(source[2..]),
            BinaryPrimitives.ReadUInt32BigEndian(source[4..]),
            BinaryPrimitives.ReadInt64BigEndian(source[8..]));
        bool fits = frame.Type switch
        {
            TrunkFrameType.Data => frame.Flags <= FinFlag && frame.Length <= MaxDataBytes && (frame.Length > 0 || frame.Flags == FinFlag),
            TrunkFrameType.Open => frame.Flags <= (byte)FlowClass.Redundant && frame.Length is > 0 and <= MaxControlBytes,
            TrunkFrameType.Reply => frame.Flags == 0 && frame.Length == Flows.FlowProtocol.ReplyBytes,
            TrunkFrameType.Reset => frame.Length == 0 && frame.Value == 0,
            TrunkFrameType.Credit => frame.Flags == 0 && frame.Length == 0,
            TrunkFrameType.Role => frame.Flags <= (byte)LaneRole.Backup && frame.Length == 0 && frame.Value == 0,
            TrunkFrameType.Goodbye => frame.Length == 0 && frame.Value == 0,
            TrunkFrameType.Ack => frame.Length % AckEntryBytes == 0 && frame.Length is > 0 and <= MaxAckEntries * AckEntryBytes,
            TrunkFrameType.Ping or TrunkFrameType.Pong => frame.Length == 0,
            TrunkFrameType.Datagram => frame.Length >= Packets.PacketInfo.MinV4Bytes,
            _ => frame.IsCounted
                ? throw new TrunkProtocolException($"unknown frame 0x{source[0]:x2}", endsSession: true)
                : true,
        };
        if (!fits)
        {
            throw new TrunkProtocolException($"{frame.Type} frame with flags {frame.Flags} and {frame.Length} bytes");
        }

        bool isOffset = frame.Type is TrunkFrameType.Data or TrunkFrameType.Open or TrunkFrameType.Reply or TrunkFrameType.Credit;
        return isOffset && frame.Value is < 0 or > MaxOffset
            ? throw new TrunkProtocolException($"offset {frame.Value}")
            : frame;
    }
}
