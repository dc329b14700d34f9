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

    private static ReadOnlySpan<byte> FlowMagic => "AGP1"u8;

    private static ReadOnlySpan<byte> TrunkLaneMagic => "AGT1"u8;

    /// <param name="counter">Never the same twice in a session, whatever the kind.</param>
    internal static void Write(
        Span<byte> destination,
        ReadOnlySpan<byte> sessionId,
        ulong counter,
        ReadOnlySpan<byte> key,
        PlainConnectionKind kind = PlainConnectionKind.Flow)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(sessionId.Length, SessionIdBytes);
        ArgumentOutOfRangeException.ThrowIfNotEqual(key.Length, KeyBytes);
        (kind == PlainConnectionKind.TrunkLane ? TrunkLaneMagic : FlowMagic).CopyTo(destination);
        sessionId.CopyTo(destination[SessionIdOffset..]);
        BinaryPrimitives.WriteUInt64BigEndian(destination[CounterOffset..], counter);
        HMACSHA256.HashData(key, destination[..MacOffset], destination[MacOffset..]);
    }

    /// <summary>Takes a preface apart; nothing of it is proven until <see cref="Verify"/> said so.</summary>
    internal static bool TryRead(ReadOnlySpan<byte> preface, out ReadOnlySpan<byte> sessionId, out ulong counter)
    {
        sessionId = default;
        counter = 0;
        if (preface.Length != Bytes || !(preface.StartsWith(FlowMagic) || preface.StartsWith(TrunkLaneMagic)))
        {
            return false;
        }

        sessionId = preface.Slice(SessionIdOffset, SessionIdBytes);
        counter = BinaryPrimitives.ReadUInt64BigEndian(preface[CounterOffset..]);
        return true;
    }

    /// <summary>What a preface that <see cref="TryRead"/> took asks for; the proof covers it.</summary>
    internal static PlainConnectionKind KindOf(ReadOnlySpan<byte> preface) =>
        preface.StartsWith(TrunkLaneMagic) ? PlainConnectionKind.TrunkLane : PlainConnectionKind.Flow;

    /// <summary>Whether the holder of <paramref name="key"/> made it. Takes the same time for every wrong proof.</summary>
    internal static bool Verify(ReadOnlySpan<byte> preface, ReadOnlySpan<byte> key)
    {
        Span<byte> expected = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(key, preface[..MacOffset], expected);
        return CryptographicOperations.FixedTimeEquals(expected, preface[MacOffset..]);
    }
}

/// <summary>What a connection without cipher is for; TLS connections say it by ALPN.</summary>
internal enum PlainConnectionKind
{
    /// <summary>One flow: proto/flow.md.</summary>
    Flow,

    /// <summary>A lane of a trunk: proto/trunk.md.</summary>
    TrunkLane,
}
