using System.Collections.Frozen;
using System.Net;
using System.Net.Sockets;

namespace Aggregator.Vps.Resolver;

/// <summary>The host's hosts(5), read again when it changed: so that names mean the same over DNS as where the C library is asked.</summary>
internal sealed class HostsFile(string path = "/etc/hosts")
{
    private const long MaxBytes = 4 * 1024 * 1024;

    private volatile Content? _content;

    /// <summary>Empty: the file does not name it in this family.</summary>
    internal IReadOnlyList<IPAddress> Find(string name, AddressFamily family) =>
        Current().Names.TryGetValue(name, out var addresses) ? [.. addresses.Where(a => a.AddressFamily == family)] : [];

    /// <summary>Takes any text.</summary>
    internal static FrozenDictionary<string, IPAddress[]> Parse(string text)
    {
        var names = new Dictionary<string, List<IPAddress>>(StringComparer.OrdinalIgnoreCase);
        foreach (string line in text.Split('\n'))
        {
            int comment = line.IndexOf('#', StringComparison.Ordinal);
            string[] words = (comment < 0 ? line : line[..comment]).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            if (words.Length < 2 || !IPAddress.TryParse(words[0], out var address))
            {
                continue;
            }

            foreach (string name in words[1..])
            {
                if (!names.TryGetValue(name, out var addresses))
                {
                    names.Add(name, addresses = []);
                }

                addresses.Add(address);
            }
        }

        return names.ToFrozenDictionary(n => n.Key, n => n.Value.Distinct().ToArray(), StringComparer.OrdinalIgnoreCase);
    }

    private Content Current()
    {
        var file = new FileInfo(path);
        long stamp = file.Exists ? HashCode.Combine(file.LastWriteTimeUtc, file.Length) : 0;
        if (_content is not { } content || content.Stamp != stamp)
        {
            _content = content = new Content(stamp, Parse(Read(file)));
        }

        return content;
    }

    private static string Read(FileInfo file)
    {
        try
        {
            return file.Exists && file.Length <= MaxBytes ? File.ReadAllText(file.FullName) : "";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Gone or not ours to read: the C library knows nothing of it then either.
            return "";
        }
    }

    private sealed record Content(long Stamp, FrozenDictionary<string, IPAddress[]> Names);
}
