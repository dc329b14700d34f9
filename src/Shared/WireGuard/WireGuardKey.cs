using System.Security.Cryptography;
using Aggregator.Interop;

namespace Aggregator.WireGuard;

/// <summary>A Curve25519 key, public or private, as WireGuard's tools write it: 32 bytes in base64. Equal by its bytes.</summary>
internal sealed class WireGuardKey : IEquatable<WireGuardKey>
{
    internal const int Bytes = Libcrypto.X25519Bytes;

    /// <summary>Base64 of 32 bytes: 43 characters and one `=`.</summary>
    private const int TextLength = 44;

    private readonly byte[] _bytes;

    private WireGuardKey(byte[] bytes) => _bytes = bytes;

    internal ReadOnlySpan<byte> Span => _bytes;

    /// <summary>A new private key, clamped as RFC 7748 section 5 says, so that every tool shows the same text for it.</summary>
    internal static WireGuardKey Generate()
    {
        byte[] bytes = RandomNumberGenerator.GetBytes(Bytes);
        bytes[0] &= 0xf8;
        bytes[31] = (byte)((bytes[31] & 0x7f) | 0x40);
        return new WireGuardKey(bytes);
    }

    internal static WireGuardKey Of(ReadOnlySpan<byte> bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(bytes.Length, Bytes);
        return new WireGuardKey(bytes.ToArray());
    }

    /// <summary>Null: not exactly 32 bytes in base64.</summary>
    internal static WireGuardKey? TryParse(string? text)
    {
        byte[] bytes = new byte[Bytes];
        return text?.Length == TextLength && Convert.TryFromBase64String(text, bytes, out int count) && count == Bytes ? new WireGuardKey(bytes) : null;
    }

    /// <summary>Null: not exactly 64 hexadecimal digits.</summary>
    internal static WireGuardKey? TryParseHex(ReadOnlySpan<char> text)
    {
        byte[] bytes = new byte[Bytes];
        return text.Length == 2 * Bytes && Convert.FromHexString(text, bytes, out _, out int count) == System.Buffers.OperationStatus.Done && count == Bytes
            ? new WireGuardKey(bytes)
            : null;
    }

    /// <summary>Of this private key.</summary>
    /// <exception cref="PlatformNotSupportedException">There is no OpenSSL with X25519.</exception>
    internal WireGuardKey PublicKey()
    {
        byte[] open = new byte[Bytes];
        Libcrypto.X25519PublicKey(_bytes, open);
        return new WireGuardKey(open);
    }

    internal string ToHex() => Convert.ToHexStringLower(_bytes);

    internal string ToBase64() => Convert.ToBase64String(_bytes);

    public bool Equals(WireGuardKey? other) => other is not null && CryptographicOperations.FixedTimeEquals(_bytes, other._bytes);

    public override bool Equals(object? obj) => Equals(obj as WireGuardKey);

    public override int GetHashCode() => BitConverter.ToInt32(_bytes);

    /// <summary>Not the key: it may be private, and texts end in logs.</summary>
    public override string ToString() => nameof(WireGuardKey);
}
