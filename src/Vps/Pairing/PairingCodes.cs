using System.Security.Cryptography;
using System.Text.Json;
using Aggregator.Identity;
using Aggregator.Settings;

namespace Aggregator.Vps.Pairing;

/// <summary>
/// Codes that were given out and not used: one file each in `codes/` of the state directory (0600), holding the code's hash. Taking a code
/// is removing its file, which one of several that try at once succeeds in.
/// </summary>
internal sealed class PairingCodes
{
    /// <summary>All are tried on every attempt; more than this nobody has open.</summary>
    private const int MaxCodes = 100;

    private const int MaxFileBytes = 4096;
    private const string Extension = ".json";

    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    private readonly string _directory;
    private readonly TimeProvider _time;

    /// <exception cref="StateException">The directory cannot be used.</exception>
    internal PairingCodes(string stateDirectory, TimeProvider time)
    {
        StateDirectory.Ensure(stateDirectory);
        _directory = Path.Combine(stateDirectory, "codes");
        _time = time;
        StateDirectory.Ensure(_directory);
    }

    /// <returns>The code. It is nowhere stored and cannot be shown again.</returns>
    /// <exception cref="StateException">It could not be stored, or too many are open.</exception>
    internal string Create(string? gatewayName, TimeSpan lifetime)
    {
        if (Open().Count >= MaxCodes)
        {
            throw new StateException(_directory, $"{MaxCodes} codes are open already; wait until some expire, or remove files there");
        }

        string code = PairingCode.Create();
        var hash = PairingCode.Hash(code);
        var stored = new Stored(Convert.ToHexStringLower(hash), gatewayName, _time.GetUtcNow() + lifetime);
        // The file's name shows in listings; it is not the hash, with which one could pair.
        string name = Convert.ToHexStringLower(SHA256.HashData(hash).AsSpan(0, 8));
        AtomicFile.Write(Path.Combine(_directory, name + Extension), JsonSerializer.SerializeToUtf8Bytes(stored, Json));
        return code;
    }

    /// <summary>Takes the code that <paramref name="proof"/> was made with.</summary>
    /// <returns>Null: wrong, used or expired, which nobody is told apart.</returns>
    /// <exception cref="StateException">The codes cannot be read or the code not be removed.</exception>
    internal RedeemedCode? TryRedeem(ReadOnlySpan<byte> proof, KeyPin vps, KeyPin gateway)
    {
        OpenCode? match = null;
        // All are compared, so that time does not tell which was near.
        foreach (var code in Open())
        {
            if (CryptographicOperations.FixedTimeEquals(proof, PairingCode.Proof(code.Hash, vps, gateway)))
            {
                match = code;
            }
        }

        return match is not null && AtomicFile.TryRemove(match.Path) ? new RedeemedCode(match.GatewayName) : null;
    }

    /// <summary>Those that still work. Files of those that do not, and damaged ones, are removed.</summary>
    private List<OpenCode> Open()
    {
        var now = _time.GetUtcNow();
        var open = new List<OpenCode>();
        foreach (string path in StateDirectory.Files(_directory, "*" + Extension, 2 * MaxCodes))
        {
            var code = TryRead(path);
            if (code is null || code.Expires <= now)
            {
                AtomicFile.TryRemove(path);
            }
            else
            {
                open.Add(code);
            }
        }

        return open;
    }

    private static OpenCode? TryRead(string path)
    {
        try
        {
            return PrivateFile.TryRead(path, MaxFileBytes) is { } content
                && JsonSerializer.Deserialize<Stored>(content, Json) is { Hash.Length: 2 * SHA256.HashSizeInBytes } stored
                && (stored.Name is null || Values.Name(stored.Name).Problem is null)
                    ? new OpenCode(path, Convert.FromHexString(stored.Hash), stored.Name, stored.Expires)
                    : null;
        }
        catch (Exception e) when (e is JsonException or FormatException)
        {
            return null;
        }
    }

    private sealed record Stored(string Hash, string? Name, DateTimeOffset Expires);

    private sealed record OpenCode(string Path, byte[] Hash, string? GatewayName, DateTimeOffset Expires);
}

/// <param name="GatewayName">The name given at `pair --name`, if any.</param>
internal sealed record RedeemedCode(string? GatewayName);
