using System.Globalization;
using System.Text.Json;
using Aggregator.Cli;
using Aggregator.Protocol.V1;
using Aggregator.Settings;

namespace Aggregator.Gateway.Speed;

/// <summary>What was kept of one test.</summary>
internal sealed record SpeedHistoryEntry(string Started, IReadOnlyList<SpeedHistoryLink> Links, double? BondedDownMbps, double? BondedUpMbps);

/// <summary>Null: not measured.</summary>
internal sealed record SpeedHistoryLink(string Name, double? DownMbps, double? UpMbps, double? RttIdleMs, double? RetransmitRatio, string? Error)
{
    /// <summary>With the queue full; not in what earlier versions wrote.</summary>
    public double? RttLoadedDownMs { get; init; }

    public double? RttLoadedUpMs { get; init; }
}

/// <summary>What a file said, or why nothing.</summary>
/// <param name="Problem">The file is damaged; one sentence. The tests kept are then none.</param>
internal sealed record SpeedHistoryRead(IReadOnlyList<SpeedHistoryEntry> Entries, string? Problem);

/// <summary>The results of the last tests: one JSON array in the state directory, written whole, bounded.</summary>
internal static class SpeedHistory
{
    internal const string FileName = "speedtest-history.json";

    /// <summary>Each is some hundred bytes a link.</summary>
    internal const int MaxEntries = 200;

    private const int MaxLinks = 64;

    /// <summary>More is nothing that this wrote.</summary>
    private const int MaxBytes = 4 * 1024 * 1024;

    /// <summary>Adds a test and forgets the oldest beyond the bound. A damaged file is put aside first.</summary>
    /// <returns>What was wrong with the file; null: nothing.</returns>
    /// <exception cref="StateException">It cannot be written.</exception>
    internal static string? Add(string stateDirectory, SpeedResult result)
    {
        string path = Path.Combine(stateDirectory, FileName);
        SpeedHistoryRead read = Read(stateDirectory);
        if (read.Problem is not null)
        {
            File.Move(path, path + ".damaged", overwrite: true);
        }

        SpeedHistoryEntry[] entries = [.. read.Entries.TakeLast(MaxEntries - 1), Of(result)];
        AtomicFile.Write(path, JsonSerializer.SerializeToUtf8Bytes(entries, JsonOutput.Indented));
        return read.Problem;
    }

    /// <exception cref="StateException">It cannot be read (rights).</exception>
    internal static SpeedHistoryRead Read(string stateDirectory)
    {
        string path = Path.Combine(stateDirectory, FileName);
        byte[]? content;
        try
        {
            content = new FileInfo(path) is { Exists: true } file
                ? file.Length <= MaxBytes ? File.ReadAllBytes(path) : []
                : null;
        }
        catch (UnauthorizedAccessException e)
        {
            throw new StateException(path, "permission denied; run this as root or as the owner of `state`", e);
        }
        catch (IOException e)
        {
            throw new StateException(path, $"cannot be read ({Reason.Of(e)})", e);
        }

        if (content is null)
        {
            return new SpeedHistoryRead([], null);
        }

        return Parse(content) is { } entries
            ? new SpeedHistoryRead(entries, null)
            : new SpeedHistoryRead([], $"{path} is damaged and is not used; the next test begins a new one and keeps this as {FileName}.damaged");
    }

    private static readonly JsonSerializerOptions ForPrograms = new(JsonOutput.Indented) { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    /// <summary>`--history --json`: names as the rest of the JSON has them.</summary>
    internal static string Json(SpeedHistoryRead history) => JsonSerializer.Serialize(new { tests = history.Entries, problem = history.Problem }, ForPrograms);

    /// <summary>Null: not what this writes.</summary>
    internal static IReadOnlyList<SpeedHistoryEntry>? Parse(ReadOnlySpan<byte> content)
    {
        try
        {
            var entries = JsonSerializer.Deserialize<SpeedHistoryEntry[]>(content);
            return entries is not null && entries.Length <= MaxEntries && entries.All(IsWhole) ? entries : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static bool IsWhole(SpeedHistoryEntry? entry) =>
        entry is { Started: { Length: <= 40 } started, Links: { Count: <= MaxLinks } links }
        && DateTimeOffset.TryParse(started, CultureInfo.InvariantCulture, DateTimeStyles.None, out _)
        && links.All(l => l is { Name.Length: > 0 and <= 64 });

    private static SpeedHistoryEntry Of(SpeedResult result) => new(
        result.Started,
        [.. result.Links.Select(l => new SpeedHistoryLink(
            l.Name,
            l.HasDownMbps ? l.DownMbps : null,
            l.HasUpMbps ? l.UpMbps : null,
            l.HasRttIdleMs ? l.RttIdleMs : null,
            l.HasRetransmitRatio ? l.RetransmitRatio : null,
            l.HasError ? l.Error : null)
        {
            RttLoadedDownMs = l.HasRttLoadedDownMs ? l.RttLoadedDownMs : null,
            RttLoadedUpMs = l.HasRttLoadedUpMs ? l.RttLoadedUpMs : null,
        })],
        result.Bonded is { HasDownMbps: true } down ? down.DownMbps : null,
        result.Bonded is { HasUpMbps: true } up ? up.UpMbps : null);
}
