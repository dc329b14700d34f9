using System.Collections.Immutable;
using System.Text.Json.Serialization;
using Aggregator.Gateway.Links;
using Aggregator.Settings;

namespace Aggregator.Gateway.Roles;

/// <summary>What a link moved in the period under way, and where the kernel's counters stood when that was true.</summary>
/// <param name="Since">The day on which the period began, YYYY-MM-DD.</param>
/// <param name="RxBytes">The interface's counter at the last look.</param>
/// <param name="Interface">The kernel's index of the interface that was looked at: another one's counters begin at nothing.</param>
/// <param name="Host">Network namespace and boot: in another one everything begins at nothing.</param>
internal sealed record Usage(DateOnly Since, ulong DownBytes, ulong UpBytes, ulong RxBytes, ulong TxBytes, int Interface, string Host)
{
    /// <summary>Nothing of what the interface has moved so far counts: the link was never looked at before.</summary>
    internal static Usage Begin(DateOnly since, InterfaceCounters now, int index, string host) =>
        new(since, 0, 0, now.RxBytes, now.TxBytes, index, host);

    /// <summary>
    /// With what the counters have grown by since the last look, however long ago that was: a restart of the daemon loses nothing. Where they are
    /// another interface's, or of another boot, all that they show is new.
    /// </summary>
    internal Usage Add(InterfaceCounters now, int index, string host)
    {
        bool same = index == Interface && host == Host && now.RxBytes >= RxBytes && now.TxBytes >= TxBytes;
        return this with
        {
            DownBytes = DownBytes + (same ? now.RxBytes - RxBytes : now.RxBytes),
            UpBytes = UpBytes + (same ? now.TxBytes - TxBytes : now.TxBytes),
            RxBytes = now.RxBytes,
            TxBytes = now.TxBytes,
            Interface = index,
            Host = host,
        };
    }

    /// <summary>A new period: what was counted so far was the last one's.</summary>
    internal Usage Roll(DateOnly since) => since == Since ? this : this with { Since = since, DownBytes = 0, UpBytes = 0 };
}

/// <summary>The usage of every link that ever had a quota, by name, over restarts.</summary>
internal sealed record UsageMemory
{
    private const string FileName = "usage.json";

    [JsonInclude]
    internal ImmutableSortedDictionary<string, Usage> Links { get; init; } = ImmutableSortedDictionary.Create<string, Usage>(StringComparer.Ordinal);

    /// <summary>What cannot be read is begun anew, and told: a damaged file must not cut a link off.</summary>
    internal static UsageMemory Load(string stateDirectory, out string? problem) =>
        StateJson.Load(stateDirectory, FileName, UsageJson.Default.UsageMemory, new UsageMemory(), out problem);

    /// <exception cref="StateException">It could not be written.</exception>
    internal void Save(string stateDirectory) => StateJson.Save(stateDirectory, FileName, UsageJson.Default.UsageMemory, this);
}

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(UsageMemory))]
internal sealed partial class UsageJson : JsonSerializerContext;
