using System.Text.Json;
using Aggregator.Identity;
using Aggregator.Settings;

namespace Aggregator.Vps.Pairing;

/// <summary>`gateways/NAME.json`, 0600.</summary>
internal static class PairedGatewayFile
{
    internal const string Pattern = "*" + Extension;

    private const string Extension = ".json";
    private const int MaxBytes = 4096;

    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    internal static string PathOf(string directory, string name) => Path.Combine(directory, name + Extension);

    internal static byte[] Format(PairedGateway gateway) =>
        JsonSerializer.SerializeToUtf8Bytes(new Stored(gateway.Pin.ToString(), gateway.PairedAt), Json);

    /// <returns>Null: there is no such file.</returns>
    /// <exception cref="StateException">It is damaged or not ours.</exception>
    internal static PairedGateway? TryRead(string path)
    {
        if (PrivateFile.TryRead(path, MaxBytes) is not { } content)
        {
            return null;
        }

        string name = Path.GetFileNameWithoutExtension(path);
        try
        {
            if (JsonSerializer.Deserialize<Stored>(content, Json) is { } stored
                && KeyPin.TryParse(stored.Pin, out var pin)
                && Values.Name(name).Problem is null)
            {
                return new PairedGateway(name, pin, stored.PairedAt);
            }
        }
        catch (JsonException e)
        {
            throw Damaged(path, e);
        }

        throw Damaged(path, null);
    }

    private static StateException Damaged(string path, Exception? inner) =>
        new(path, "is damaged; remove it and pair that gateway again", inner);

    private sealed record Stored(string? Pin, DateTimeOffset PairedAt);
}
