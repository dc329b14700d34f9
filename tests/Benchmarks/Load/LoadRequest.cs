using System.Buffers.Binary;

namespace Aggregator.Benchmarks.Load;

internal enum LoadKind : byte
{
    /// <summary>The client sends, the server measures.</summary>
    Up = 1,

    /// <summary>The server sends, the client measures.</summary>
    Down = 2,

    /// <summary>The client sends, the server writes down when bytes came and reports it as JSON behind four bytes of length.</summary>
    TraceUp = 3,
}

/// <summary>
/// The first bytes of a connection of the generator: a kind, and the window that the receiver measures, counted from the moment
/// at which it saw the first byte. So no buffer on the way is taken for delivered.
/// </summary>
internal readonly record struct LoadRequest(LoadKind Kind, TimeSpan WarmUp, TimeSpan Window)
{
    internal const int Size = 12;

    /// <summary>The measured bytes and nanoseconds, 8 bytes each, that the server sends at the end of an upload's window.</summary>
    internal const int ResultSize = 16;

    private const ushort Magic = 0x4162;

    internal byte[] ToBytes()
    {
        byte[] bytes = new byte[Size];
        BinaryPrimitives.WriteUInt16BigEndian(bytes, Magic);
        bytes[2] = (byte)Kind;
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(4), (uint)WarmUp.TotalMilliseconds);
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(8), (uint)Window.TotalMilliseconds);
        return bytes;
    }

    internal static bool TryParse(ReadOnlySpan<byte> bytes, out LoadRequest request)
    {
        request = default;
        if (bytes.Length < Size || BinaryPrimitives.ReadUInt16BigEndian(bytes) != Magic || bytes[2] is < 1 or > 3)
        {
            return false;
        }

        request = new LoadRequest(
            (LoadKind)bytes[2],
            TimeSpan.FromMilliseconds(BinaryPrimitives.ReadUInt32BigEndian(bytes[4..])),
            TimeSpan.FromMilliseconds(BinaryPrimitives.ReadUInt32BigEndian(bytes[8..])));
        return true;
    }
}
