using System.Buffers;
using Grpc.Core;

namespace Grpc.Wire;

/// <summary>Metadata as HTTP/2 headers and trailers: ASCII as it is, binary values (<c>-bin</c>) in base64.</summary>
internal static class MetadataCodec
{
    private static readonly SearchValues<char> Printable =
        SearchValues.Create([.. Enumerable.Range(0x20, 0x7F - 0x20).Select(c => (char)c)]);

    /// <summary>Headers that HTTP or gRPC itself uses; they are not metadata.</summary>
    public static bool IsReserved(string key) =>
        key.StartsWith(':') || key is
            "content-type" or "content-length" or "te" or "host" or "connection" or "transfer-encoding" or "trailer"
            or GrpcProtocol.Timeout or GrpcProtocol.Encoding or GrpcProtocol.AcceptEncoding
            or GrpcProtocol.Status or GrpcProtocol.Message or "grpc-message-type";

    /// <summary>Adds what came with one header line. False: a binary value that is no base64.</summary>
    public static bool TryAdd(Metadata metadata, string key, string? value)
    {
        key = key.ToLowerInvariant();
        value ??= "";
        if (IsReserved(key) || !key.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-'))
        {
            return true;
        }

        if (!key.EndsWith(Metadata.BinaryHeaderSuffix, StringComparison.Ordinal))
        {
            metadata.Add(key, value);
            return true;
        }

        // Several values of one key may come joined: a comma is no base64 character.
        foreach (Range part in value.AsSpan().Split(','))
        {
            if (!TryDecodeBase64(value.AsSpan(part).Trim(), out byte[] bytes))
            {
                return false;
            }

            metadata.Add(key, bytes);
        }

        return true;
    }

    /// <summary>The value on the wire; binary without padding, as the protocol wants it sent.</summary>
    /// <exception cref="InvalidOperationException">A reserved key, or text that no header may hold.</exception>
    public static string Encode(Metadata.Entry entry)
    {
        if (IsReserved(entry.Key))
        {
            throw new InvalidOperationException($"The metadata key '{entry.Key}' belongs to the protocol.");
        }

        if (entry.IsBinary)
        {
            return Convert.ToBase64String(entry.ValueBytes).TrimEnd('=');
        }

        return !entry.Value.AsSpan().ContainsAnyExcept(Printable)
            ? entry.Value
            : throw new InvalidOperationException(
                $"The value of the metadata key '{entry.Key}' is not printable ASCII; use a key that ends in '-bin'.");
    }

    /// <summary>With or without padding.</summary>
    public static bool TryDecodeBase64(ReadOnlySpan<char> text, out byte[] bytes)
    {
        bytes = [];
        ReadOnlySpan<char> bare = text.TrimEnd('=');
        int padding = (4 - (bare.Length % 4)) % 4;
        if (padding == 3 || (text.Length != bare.Length && text.Length != bare.Length + padding))
        {
            return false;
        }

        char[] padded = new char[bare.Length + padding];
        bare.CopyTo(padded);
        padded.AsSpan(bare.Length).Fill('=');
        byte[] decoded = new byte[padded.Length / 4 * 3];
        if (!Convert.TryFromBase64Chars(padded, decoded, out int length))
        {
            return false;
        }

        bytes = decoded[..length];
        return true;
    }
}
