using System.Text.Json;
using System.Text.Json.Serialization;
using Aggregator.Settings;

namespace Aggregator.Vps.Apply;

/// <summary>
/// What `tune` set and how it was before, in the state directory. Unlike the daemon's journal it outlives a restart of the host, because the
/// settings do.
/// </summary>
internal sealed class TuneJournal
{
    private const string FileName = "tune-journal.json";

    private readonly string _path;
    private readonly Dictionary<string, TuneEntry> _entries;

    private TuneJournal(string path, Dictionary<string, TuneEntry> entries) => (_path, _entries) = (path, entries);

    /// <summary>By path below /proc/sys.</summary>
    internal IReadOnlyDictionary<string, TuneEntry> Entries => _entries;

    /// <exception cref="StateException">It cannot be read or is damaged.</exception>
    internal static TuneJournal Open(string stateDirectory)
    {
        string path = Path.GetFullPath(Path.Combine(stateDirectory, FileName));
        try
        {
            using var file = File.OpenRead(path);
            return new TuneJournal(path, JsonSerializer.Deserialize(file, TuneJson.Default.DictionaryStringTuneEntry) ?? []);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return new TuneJournal(path, []);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new StateException(path, "cannot be read (permission denied); run this as root", e);
        }
        catch (JsonException e)
        {
            throw new StateException(path, "is damaged; if the host's settings are as you want them, remove this file", e);
        }
    }

    internal void Set(string path, TuneEntry entry) => _entries[path] = entry;

    internal void Remove(string path) => _entries.Remove(path);

    /// <summary>On disk when it returns.</summary>
    /// <exception cref="StateException">It cannot be written.</exception>
    internal void Save()
    {
        if (_entries.Count == 0)
        {
            AtomicFile.TryRemove(_path);
            return;
        }

        StateDirectory.Ensure(Path.GetDirectoryName(_path)!);
        AtomicFile.Write(_path, JsonSerializer.SerializeToUtf8Bytes(_entries, TuneJson.Default.DictionaryStringTuneEntry));
    }
}

/// <param name="Before">What `--undo` puts back.</param>
/// <param name="Value">What was set.</param>
internal sealed record TuneEntry([property: JsonRequired] string Before, [property: JsonRequired] string Value);

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(Dictionary<string, TuneEntry>))]
internal sealed partial class TuneJson : JsonSerializerContext;
