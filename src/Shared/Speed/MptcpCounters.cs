using System.Globalization;

namespace Aggregator.Speed;

/// <summary>Counters of MPTCP in a network namespace, from /proc/net/netstat (net/mptcp/mib.c). Null: this kernel does not count it.</summary>
/// <param name="CapableSyns">SYNs with MP_CAPABLE that arrived.</param>
/// <param name="CapableFallbacks">Of these, connections whose third packet came without options.</param>
internal readonly record struct MptcpCounters(ulong? CapableSyns, ulong? CapableFallbacks)
{
    private const string Prefix = "MPTcpExt:";

    /// <summary>Of the calling thread's namespace.</summary>
    internal static MptcpCounters Read()
    {
        try
        {
            return Parse(File.ReadAllText("/proc/thread-self/net/netstat"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return default;
        }
    }

    /// <summary>Each group has two lines: its names, then its values.</summary>
    internal static MptcpCounters Parse(string text)
    {
        string[]? names = null;
        foreach (var line in text.AsSpan().EnumerateLines())
        {
            if (!line.StartsWith(Prefix, StringComparison.Ordinal))
            {
                continue;
            }

            string[] words = line.ToString().Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (names is null)
            {
                names = words;
                continue;
            }

            return new MptcpCounters(ValueOf("MPCapableSYNRX", names, words), ValueOf("MPCapableFallbackACK", names, words));
        }

        return default;
    }

    private static ulong? ValueOf(string name, string[] names, string[] values)
    {
        int at = Array.IndexOf(names, name);
        return at > 0 && at < values.Length && ulong.TryParse(values[at], NumberStyles.None, CultureInfo.InvariantCulture, out ulong value) ? value : null;
    }
}
