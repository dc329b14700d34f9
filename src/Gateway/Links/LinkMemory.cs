using System.Collections.Immutable;
using System.Text.Json.Serialization;
using Aggregator.Settings;

namespace Aggregator.Gateway.Links;

/// <summary>
/// What is remembered of WANs over restarts: roles set at run time, the slot of each interface, and the last gateways
/// (an interface that went down and up often has its address back long before its default route).
/// </summary>
internal sealed record LinkMemory
{
    private const string FileName = "links.json";

    internal static readonly LinkMemory Empty = new();

    /// <summary>By link name: as `link NAME ROLE` set it.</summary>
    [JsonInclude]
    internal ImmutableSortedDictionary<string, string> Roles { get; init; } = ImmutableSortedDictionary.Create<string, string>(StringComparer.Ordinal);

    /// <summary>By interface name.</summary>
    [JsonInclude]
    internal ImmutableSortedDictionary<string, int> Slots { get; init; } = ImmutableSortedDictionary.Create<string, int>(StringComparer.Ordinal);

    /// <summary>By interface name and family: `wan1/4`, `wan1/6`.</summary>
    [JsonInclude]
    internal ImmutableSortedDictionary<string, string> Gateways { get; init; } = ImmutableSortedDictionary.Create<string, string>(StringComparer.Ordinal);

    /// <summary>An unreadable file is an empty memory: nothing in it is beyond finding out again.</summary>
    internal static LinkMemory Load(string stateDirectory, out string? problem) =>
        StateJson.Load(stateDirectory, FileName, LinkMemoryJson.Default.LinkMemory, Empty, out problem);

    /// <exception cref="StateException">It could not be written.</exception>
    internal void Save(string stateDirectory) => StateJson.Save(stateDirectory, FileName, LinkMemoryJson.Default.LinkMemory, this);

    /// <summary>By value: the dictionaries' own equality is by reference.</summary>
    internal bool SameAs(LinkMemory other) =>
        Roles.SequenceEqual(other.Roles) && Slots.SequenceEqual(other.Slots) && Gateways.SequenceEqual(other.Gateways);
}

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(LinkMemory))]
internal sealed partial class LinkMemoryJson : JsonSerializerContext;
