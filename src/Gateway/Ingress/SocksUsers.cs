using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using Aggregator.Gateway.Configuration;

namespace Aggregator.Gateway.Ingress;

/// <summary>Who may use the SOCKS listener. The time that a check takes tells nothing about names, passwords or their lengths.</summary>
internal sealed class SocksUsers
{
    private readonly byte[][] _digests;

    internal SocksUsers(ImmutableArray<ProxyUser> users)
    {
        _digests = [.. users.Select(u => Digest(Encoding.UTF8.GetBytes(u.Name), Encoding.UTF8.GetBytes(u.Password)))];
    }

    /// <summary>Whether a name and a password are asked for.</summary>
    internal bool Required => _digests.Length > 0;

    internal bool IsValid(ReadOnlySpan<byte> name, ReadOnlySpan<byte> password)
    {
        byte[] given = Digest(name, password);
        bool found = false;
        foreach (byte[] digest in _digests)
        {
            // No early end: every user is compared.
            found |= CryptographicOperations.FixedTimeEquals(digest, given);
        }
        return found;
    }

    // Both are hashed by themselves first, so that no name-and-password pair equals another one cut at another place.
    private static byte[] Digest(ReadOnlySpan<byte> name, ReadOnlySpan<byte> password)
    {
        Span<byte> both = stackalloc byte[2 * SHA256.HashSizeInBytes];
        SHA256.HashData(name, both);
        SHA256.HashData(password, both[SHA256.HashSizeInBytes..]);
        return SHA256.HashData(both);
    }
}
