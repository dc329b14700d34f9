using System.Collections.Immutable;
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
    internal static LimitsMemory Load(string stateDirectory, out string? problem) =>
        StateJson.Load(stateDirectory, FileName, LimitsMemoryJson.Default.LimitsMemory, new LimitsMemory(), out problem);

    /// <exception cref="StateException">It could not be written.</exception>
    internal void Save(string stateDirectory) => StateJson.Save(stateDirectory, FileName, LimitsMemoryJson.Default.LimitsMemory, this);
}

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(LimitsMemory))]
internal sealed partial class LimitsMemoryJson : JsonSerializerContext;
