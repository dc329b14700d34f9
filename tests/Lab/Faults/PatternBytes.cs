using System.Buffers.Binary;

namespace Aggregator.Lab.Faults;

/// <summary>Streams whose every byte is known from where it stands: whatever is lost, doubled or out of place shows.</summary>
internal static class PatternBytes
{
    /// <summary>The bytes of a stream from a place on: every eight are a hash of where they stand (splitmix64).</summary>
    internal static void Fill(Span<byte> buffer, ulong stream, long from)
    {
        Span<byte> word = stackalloc byte[8];
        for (int i = 0; i < buffer.Length;)
        {
            long at = from + i;
            ulong x = (stream << 40) + (ulong)(at / 8) + 0x9e3779b97f4a7c15;
            x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
            x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
            BinaryPrimitives.WriteUInt64LittleEndian(word, x ^ (x >> 31));
            int offset = (int)(at % 8);
            int count = Math.Min(8 - offset, buffer.Length - i);
            word.Slice(offset, count).CopyTo(buffer[i..]);
            i += count;
        }
    }
}
