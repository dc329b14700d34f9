using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;

namespace Aggregator.Identity;

/// <summary>
/// The one-time code of a pairing line and the proof that its owner makes of it. 128 random bits: nobody guesses it, so a hash without
/// salt is enough to keep.
/// </summary>
internal static class PairingCode
{
    internal const int ProofBytes = HMACSHA256.HashSizeInBytes;

    private const int RandomBytes = 16;

    /// <summary>16 bytes in base64url without padding.</summary>
    private const int TextLength = 22;

    /// <summary>So that the proof is of no use in another protocol or version.</summary>
    private static ReadOnlySpan<byte> Context => "aggregator-pair/1"u8;

    internal static string Create() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(RandomBytes));

    internal static bool IsWellFormed([NotNullWhen(true)] string? text) =>
        text is { Length: TextLength } && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_');

    /// <summary>What the VPS keeps of a code.</summary>
    internal static byte[] Hash(string code) => SHA256.HashData(Encoding.UTF8.GetBytes(code));

    /// <summary>
    /// HMAC-SHA256 keyed with the code's hash over the context and both pins: bound to both keys, so that whoever sees it can do nothing
    /// with it.
    /// </summary>
    internal static byte[] Proof(ReadOnlySpan<byte> codeHash, KeyPin vps, KeyPin gateway)
    {
        Span<byte> message = stackalloc byte[Context.Length + 2 * KeyPin.SizeBytes];
        Context.CopyTo(message);
        vps.CopyTo(message[Context.Length..]);
        gateway.CopyTo(message[(Context.Length + KeyPin.SizeBytes)..]);
        return HMACSHA256.HashData(codeHash, message);
    }
}
