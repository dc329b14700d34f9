using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;
using Aggregator.Settings;

namespace Aggregator.Gateway.Roles;

/// <summary>What `link NAME …` changed: by link, then by setting (<see cref="LinkSetting.Keys"/>), its text. Kept over restarts.</summary>
internal sealed record LimitsMemory
{
    private const string FileName = "limits.json";

    [JsonInclude]
    internal ImmutableSortedDictionary<string, ImmutableSortedDictionary<string, string>> Links { get; init; } =
        ImmutableSortedDictionary.Create<string, ImmutableSortedDictionary<string, string>>(StringComparer.Ordinal);

    /// <summary>An unreadable file is an empty memory, and a problem to be told: the configuration then holds.</summary>
    internal static LimitsMemory Load(string stateDirectory, out string? problem)
    {
        string path = Path.Combine(stateDirectory, FileName);
        problem = null;
        try
        {
            using var file = File.OpenRead(path);
            return JsonSerializer.Deserialize(file, LimitsMemoryJson.Default.LimitsMemory) ?? new LimitsMemory();
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return new LimitsMemory();
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException)
        {
            problem = $"{path}: {e.Message}";
            return new LimitsMemory();
        }
    }

    /// <exception cref="StateException">It could not be written.</exception>
    internal void Save(string stateDirectory)
    {
        StateDirectory.Ensure(stateDirectory);
        AtomicFile.Write(Path.Combine(stateDirectory, FileName), JsonSerializer.SerializeToUtf8Bytes(this, LimitsMemoryJson.Default.LimitsMemory));
    }
}

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(LimitsMemory))]
internal sealed partial class LimitsMemoryJson : JsonSerializerContext;
