using System.Globalization;

namespace Aggregator.Gateway.Links;

/// <summary>Bytes through an interface since it exists, as /proc/net/dev of the calling thread's network namespace has them.</summary>
internal readonly record struct InterfaceCounters(ulong RxBytes, ulong TxBytes)
{
    private const int TxBytesField = 8;

    /// <summary>Null: there is no such interface.</summary>
    internal static InterfaceCounters? Read(string interfaceName) => Parse(File.ReadAllText("/proc/thread-self/net/dev"), interfaceName);

    internal static InterfaceCounters? Parse(string text, string interfaceName)
    {
        foreach (var line in text.AsSpan().EnumerateLines())
        {
            int colon = line.LastIndexOf(':');
            if (colon < 0 || !line[..colon].Trim().SequenceEqual(interfaceName))
            {
                continue;
            }

            string[] fields = line[(colon + 1)..].ToString().Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (fields.Length > TxBytesField
                && ulong.TryParse(fields[0], NumberStyles.None, CultureInfo.InvariantCulture, out ulong received)
                && ulong.TryParse(fields[TxBytesField], NumberStyles.None, CultureInfo.InvariantCulture, out ulong sent))
            {
                return new InterfaceCounters(received, sent);
            }
        }

        return null;
    }
}
