using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Aggregator.Flows;

/// <summary>
/// The first bytes of a data connection without cipher (proto/flow.md): who it belongs to and the proof of it. The key came over the
/// control session, which is encrypted and pinned; the counter makes each preface good for one connection.
/// </summary>
internal static class PlainPreface
{
    internal const int SessionIdBytes = 16;
    internal const int KeyBytes = 32;
    internal const int Bytes = MacOffset + HMACSHA256.HashSizeInBytes;

    /// <summary>The first byte; a TLS connection begins with 0x16 (RFC 8446 section 5.1).</summary>
    internal const byte FirstByte = (byte)'A';

    private const int SessionIdOffset = 4;
    private const int CounterOffset = SessionIdOffset + SessionIdBytes;
    private const int MacOffset = CounterOffset + sizeof(ulong);

    private static ReadOnlySpan<byte> Magic => "AGP1"u8;

    /// <param name="counter">Never the same twice in a session.</param>
    internal static void Write(Span<byte> destination, ReadOnlySpan<byte> sessionId, ulong counter, ReadOnlySpan<byte> key)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(sessionId.Length, SessionIdBytes);
        ArgumentOutOfRangeException.ThrowIfNotEqual(key.Length, KeyBytes);
        Magic.CopyTo(destination);
        sessionId.CopyTo(destination[SessionIdOffset..]);
        BinaryPrimitives.WriteUInt64BigEndian(destination[CounterOffset..], counter);
        HMACSHA256.HashData(key, destination[..MacOffset], destination[MacOffset..]);
    }

    /// <summary>Takes a preface apart; nothing of it is proven until <see cref="Verify"/> said so.</summary>
    internal static bool TryRead(ReadOnlySpan<byte> preface, out ReadOnlySpan<byte> sessionId, out ulong counter)
    {
        sessionId = default;
        counter = 0;
        if (preface.Length != Bytes || !preface.StartsWith(Magic))
        {
            return false;
        }

        sessionId = preface.Slice(SessionIdOffset, SessionIdBytes);
        counter = BinaryPrimitives.ReadUInt64BigEndian(preface[CounterOffset..]);
        return true;
    }

    /// <summary>Whether the holder of <paramref name="key"/> made it. Takes the same time for every wrong proof.</summary>
    internal static bool Verify(ReadOnlySpan<byte> preface, ReadOnlySpan<byte> key)
    {
        Span<byte> expected = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(key, preface[..MacOffset], expected);
        return CryptographicOperations.FixedTimeEquals(expected, preface[MacOffset..]);
    }
}
