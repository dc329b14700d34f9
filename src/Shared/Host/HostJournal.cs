using System.Text.Json;
using System.Text.Json.Serialization;
using Aggregator.Settings;

namespace Aggregator.Host;

/// <summary>
/// What a daemon changed on the host and how it was before, kept in the state directory so that `down` can put it back after a crash too.
/// A change is written here and on disk before it is made. One process at a time writes it (the daemon, or `down` without one).
/// </summary>
internal sealed class HostJournal
{
    private const string FileName = "host-journal.json";

    private readonly string _path;
    private JournalContents _contents;

    private HostJournal(string path, JournalContents contents)
    {
        _path = path;
        _contents = contents;
    }

    /// <summary>
    /// Opens the journal of <paramref name="stateDirectory"/>, or an empty one. Entries made in another network namespace or before the
    /// last boot are dropped: what they speak of is gone.
    /// </summary>
    /// <exception cref="StateException">The file is not a journal, or cannot be read.</exception>
    internal static HostJournal Open(string stateDirectory) => Open(stateDirectory, NetworkNamespace.Identity());

    internal static HostJournal Open(string stateDirectory, string identity)
    {
        string path = Path.GetFullPath(Path.Combine(stateDirectory, FileName));
        var contents = Load(path);
        return new HostJournal(path, contents?.Namespace == identity ? contents : new JournalContents { Namespace = identity });
    }

    /// <summary>Settings changed, with their values before.</summary>
    internal IReadOnlyDictionary<string, string> Sysctls => _contents.Sysctls;

    /// <summary>Anything else that was changed: a text for each key, whose meaning is its writer's.</summary>
    internal IReadOnlyDictionary<string, string> Others => _contents.Others;

    internal bool IsEmpty => Sysctls.Count == 0 && Others.Count == 0;

    /// <summary>Remembers how a setting was before; only the first value counts. On disk when it returns.</summary>
    internal void RecordSysctl(SysctlName name, string original)
    {
        if (_contents.Sysctls.TryAdd(name.Path, original))
        {
            Save();
        }
    }

    /// <summary>Remembers anything else; only the first value of a key counts. On disk when it returns.</summary>
    internal void Record(string key, string value)
    {
        if (_contents.Others.TryAdd(key, value))
        {
            Save();
        }
    }

    /// <summary>As <see cref="Record"/>, but the last value counts.</summary>
    internal void Update(string key, string value)
    {
        if (!_contents.Others.TryGetValue(key, out string? had) || had != value)
        {
            _contents.Others[key] = value;
            Save();
        }
    }

    /// <summary>What was before has become something else; nothing where the setting was not changed.</summary>
    internal void RebaseSysctl(string path, string original)
    {
        if (_contents.Sysctls.ContainsKey(path))
        {
            _contents.Sysctls[path] = original;
            Save();
        }
    }

    /// <summary>The setting is as it was before.</summary>
    internal void ForgetSysctl(string path)
    {
        if (_contents.Sysctls.Remove(path))
        {
            Save();
        }
    }

    internal void Forget(string key)
    {
        if (_contents.Others.Remove(key))
        {
            Save();
        }
    }

    private static JournalContents? Load(string path)
    {
        try
        {
            using var file = File.OpenRead(path);
            return JsonSerializer.Deserialize(file, JournalJson.Default.JournalContents);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (UnauthorizedAccessException e)
        {
            throw new StateException(path, "cannot be read (permission denied); run this as the file's owner or as root", e);
        }
        catch (JsonException e)
        {
            throw new StateException(path, "is damaged; if the host's network is as you want it, remove this file", e);
        }
    }

    private void Save()
    {
        if (IsEmpty)
        {
            File.Delete(_path);
            return;
        }

        StateDirectory.Ensure(Path.GetDirectoryName(_path)!);
        AtomicFile.Write(_path, JsonSerializer.SerializeToUtf8Bytes(_contents, JournalJson.Default.JournalContents));
    }
}

/// <summary>The journal's file.</summary>
internal sealed record JournalContents
{
    [JsonRequired]
    public string Namespace { get; init; } = "";

    public Dictionary<string, string> Sysctls { get; init; } = [];

    public Dictionary<string, string> Others { get; init; } = [];
}

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(JournalContents))]
internal sealed partial class JournalJson : JsonSerializerContext;
