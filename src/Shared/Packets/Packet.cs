namespace Aggregator.Packets;

/// <summary>A packet in a buffer of the <see cref="PacketPool"/>. Has one owner at a time, who returns the buffer.</summary>
/// <param name="Buffer">Of the pool.</param>
/// <param name="Start">Where the packet begins in it.</param>
/// <param name="Info">Of its bytes.</param>
/// <param name="Meta">Fits the bytes.</param>
internal readonly record struct Packet(byte[] Buffer, int Start, PacketInfo Info, PacketMeta Meta)
{
    internal int Length => Info.Length;

    internal Span<byte> Bytes => Buffer.AsSpan(Start, Info.Length);

    internal void Return() => PacketPool.Shared.Return(Buffer);
}
