using System.Buffers.Binary;
using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Aggregator.Identity;

/// <summary>
/// SHA-256 of a public key (its DER SubjectPublicKeyInfo, as in RFC 7469 section 2.4): all that one side must know of the other.
/// Written as 43 characters of base64url without padding. Comparing takes the same time whatever differs.
/// </summary>
internal readonly struct KeyPin : IEquatable<KeyPin>
{
    internal const int SizeBytes = 32;

    private readonly ulong _a;
    private readonly ulong _b;
    private readonly ulong _c;
    private readonly ulong _d;

    private KeyPin(ReadOnlySpan<byte> hash)
    {
        _a = BinaryPrimitives.ReadUInt64BigEndian(hash);
        _b = BinaryPrimitives.ReadUInt64BigEndian(hash[8..]);
        _c = BinaryPrimitives.ReadUInt64BigEndian(hash[16..]);
        _d = BinaryPrimitives.ReadUInt64BigEndian(hash[24..]);
    }

    internal static KeyPin Of(X509Certificate2 certificate) =>
        new(SHA256.HashData(certificate.PublicKey.ExportSubjectPublicKeyInfo()));

    /// <exception cref="ArgumentException">Not 32 bytes.</exception>
    internal static KeyPin FromHash(ReadOnlySpan<byte> hash) =>
        hash.Length == SizeBytes ? new(hash) : throw new ArgumentException("a pin has 32 bytes", nameof(hash));

    /// <summary>Strict: exactly the text that <see cref="ToString"/> makes.</summary>
    internal static bool TryParse([NotNullWhen(true)] string? text, out KeyPin pin)
    {
        pin = default;
        Span<byte> hash = stackalloc byte[SizeBytes];
        if (text is not { Length: 43 } || !Base64Url.IsValid(text, out int decoded) || decoded != SizeBytes
            || !Base64Url.TryDecodeFromChars(text, hash, out int written) || written != SizeBytes)
        {
            return false;
        }

        pin = new KeyPin(hash);
        // White space and unused bits of the last character have other spellings; there is one that counts.
        return pin.ToString() == text;
    }

    /// <exception cref="ArgumentException"><paramref name="destination"/> is shorter than 32 bytes.</exception>
    internal void CopyTo(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination, _a);
        BinaryPrimitives.WriteUInt64BigEndian(destination[8..], _b);
        BinaryPrimitives.WriteUInt64BigEndian(destination[16..], _c);
        BinaryPrimitives.WriteUInt64BigEndian(destination[24..], _d);
    }

    internal byte[] ToArray()
    {
        var hash = new byte[SizeBytes];
        CopyTo(hash);
        return hash;
    }

    public bool Equals(KeyPin other) => ((_a ^ other._a) | (_b ^ other._b) | (_c ^ other._c) | (_d ^ other._d)) == 0;

    public override bool Equals(object? obj) => obj is KeyPin other && Equals(other);

    /// <summary>A part of a cryptographic hash is a good hash.</summary>
    public override int GetHashCode() => (int)_a;

    public override string ToString()
    {
        Span<byte> hash = stackalloc byte[SizeBytes];
        CopyTo(hash);
        return Base64Url.EncodeToString(hash);
    }

    public static bool operator ==(KeyPin left, KeyPin right) => left.Equals(right);

    public static bool operator !=(KeyPin left, KeyPin right) => !left.Equals(right);
}
