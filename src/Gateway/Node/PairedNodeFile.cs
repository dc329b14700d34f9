using System.Text.Json;
using Aggregator.Identity;
using Aggregator.Settings;

namespace Aggregator.Gateway.Node;

/// <summary>`node.json` in the state directory, 0600.</summary>
internal static class PairedNodeFile
{
    internal const string FileName = "node.json";

    private const int MaxBytes = 16 * 1024;

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
    };

    internal static PairedNode? TryLoad(string stateDirectory)
    {
        string path = Path.Combine(stateDirectory, FileName);
        if (PrivateFile.TryRead(path, MaxBytes) is not { } content)
        {
            return null;
        }

        try
        {
            if (JsonSerializer.Deserialize<Stored>(content, Json) is { Hosts: { Length: > 0 } hosts, GatewayName: { } name } stored
                && hosts.All(h => h is not null && Values.Host(h).Problem is null)
                && stored.Port is > 0 and <= ushort.MaxValue
                && Values.Name(name).Problem is null
                && KeyPin.TryParse(stored.Pin, out var pin))
            {
                return new PairedNode([.. hosts.OfType<string>()], (ushort)stored.Port, pin, name);
            }
        }
        catch (JsonException e)
        {
            throw Damaged(path, e);
        }

        throw Damaged(path, null);
    }

    internal static void Save(string stateDirectory, PairedNode node)
    {
        StateDirectory.Ensure(stateDirectory);
        var stored = new Stored([.. node.Hosts], node.Port, node.Pin.ToString(), node.GatewayName);
        AtomicFile.Write(Path.Combine(stateDirectory, FileName), JsonSerializer.SerializeToUtf8Bytes(stored, Json));
    }

    private static StateException Damaged(string path, Exception? inner) =>
        new(path, "is damaged; pair again with a new line from `aggregator-vps pair`", inner);

    private sealed record Stored(string?[]? Hosts, int Port, string? Pin, string? GatewayName);
}
