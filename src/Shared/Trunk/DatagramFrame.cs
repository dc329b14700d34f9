using Aggregator.Packets;

namespace Aggregator.Trunk;

/// <summary>The header of a DATAGRAM frame beyond what all frames have (proto/trunk.md).</summary>
/// <param name="Slot">Of the sender's flow.</param>
/// <param name="Sequence">Of the packets in this slot, from 0 on.</param>
/// <param name="SentMs">The sender's clock when the frame was built, milliseconds, the lowest 16 bits.</param>
/// <param name="Behind">How much longer than this frame others of its flow may take, as a power of two in milliseconds (<see cref="ToBehind"/>).</param>
/// <param name="IsRealTime">Handed on at once, whatever is missing before it; it may come twice.</param>
internal readonly record struct DatagramFrame(int Slot, uint Sequence, ushort SentMs, bool IsRealTime, PacketMeta Meta, byte Behind = 0)
{
    private const byte RealTimeFlag = 0x08;
    private const int BehindShift = 4;

    /// <summary>16 s: more than anybody waits.</summary>
    private const byte MaxBehind = 15;

    /// <summary>0 where this is the flow's slowest lane.</summary>
    internal long BehindUs => Behind == 0 ? 0 : 500L << Behind;

    /// <summary>Rounded up.</summary>
    internal static byte ToBehind(double us) => us < 500 ? (byte)0 : (byte)Math.Min(MaxBehind, (int)Math.Ceiling(Math.Log2(us / 500)));

    internal TrunkFrame ToFrame(int length) => new(
        TrunkFrameType.Datagram,
        (byte)(Meta.ToFlags() | (IsRealTime ? RealTimeFlag : 0) | (Behind << BehindShift)),
        length,
        (uint)Slot,
        (long)(((ulong)Sequence << 32) | ((ulong)SentMs << 16) | Meta.SegmentBytes));

    /// <summary>False: not of this version.</summary>
    internal static bool TryRead(in TrunkFrame frame, out DatagramFrame datagram)
    {
        datagram = default;
        if (frame.Stream >= FlowTable.Slots || !PacketMeta.TryFromFlags((byte)(frame.Flags & 0x07), (ushort)frame.Value, out var meta))
        {
            return false;
        }

        ulong value = (ulong)frame.Value;
        datagram = new DatagramFrame(
            (int)frame.Stream, (uint)(value >> 32), (ushort)(value >> 16), (frame.Flags & RealTimeFlag) != 0, meta, (byte)(frame.Flags >> BehindShift));
        return true;
    }
}
