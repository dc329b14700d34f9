using System.Buffers;
using System.Buffers.Binary;

namespace Grpc.Wire;

/// <summary>The five bytes before each message: compressed flag, length (big endian).</summary>
internal readonly record struct MessageHeader(byte Flag, uint Length)
{
    public const int Size = 5;

    public bool IsCompressed => Flag == 1;

    /// <summary>False: not all five bytes are there yet.</summary>
    public static bool TryRead(in ReadOnlySequence<byte> data, out MessageHeader header)
    {
        header = default;
        if (data.Length < Size)
        {
            return false;
        }

        Span<byte> bytes = stackalloc byte[Size];
        data.Slice(0, Size).CopyTo(bytes);
        header = new MessageHeader(bytes[0], BinaryPrimitives.ReadUInt32BigEndian(bytes[1..]));
        return true;
    }

    public void Write(Span<byte> destination)
    {
        destination[0] = Flag;
        BinaryPrimitives.WriteUInt32BigEndian(destination[1..], Length);
    }

    /// <summary>Refuses what must not be read: before a byte is allocated for it.</summary>
    public void Check(int? maxBytes, string? encoding)
    {
        if (Flag > 1)
        {
            throw GrpcErrors.UnknownFlag(Flag);
        }

        int limit = maxBytes ?? Array.MaxLength;
        if (Length > limit)
        {
            throw GrpcErrors.ReceivedTooLarge(Length, limit);
        }

        if (IsCompressed)
        {
            if (encoding is null or "" or GrpcProtocol.Identity)
            {
                throw GrpcErrors.CompressedWithoutEncoding();
            }

            if (encoding != GrpcProtocol.GZip)
            {
                throw GrpcErrors.UnknownEncoding(encoding);
            }
        }
    }
}
