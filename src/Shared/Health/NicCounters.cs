using System.Collections.Immutable;

namespace Aggregator.Health;

/// <summary>Packets of one interface since it exists, both directions (/proc/net/dev).</summary>
internal readonly record struct NicCounters(string Name, long Packets, long Dropped)
{
    /// <summary>A host with more has containers; theirs are not what this is about.</summary>
    internal const int MaxNics = 64;

    /// <summary>The loopback is left out, and so is a line that is not as it should be.</summary>
    internal static ImmutableArray<NicCounters> Parse(string? netDev)
    {
        var nics = ImmutableArray.CreateBuilder<NicCounters>();
        foreach (var line in (netDev ?? "").AsSpan().EnumerateLines())
        {
            // eth0: bytes packets errs drop fifo frame compressed multicast | bytes packets errs drop …; a long name has no blank behind it.
            int colon = line.IndexOf(':');
            if (colon < 0 || nics.Count == MaxNics)
            {
                continue;
            }

            var name = line[..colon].Trim();
            var values = line[(colon + 1)..];
            if (name is "lo" or ""
                || Sum(values, 1, 9) is not { } packets
                || Sum(values, 3, 11) is not { } dropped)
            {
                continue;
            }

            nics.Add(new NicCounters(name.ToString(), packets, dropped));
        }

        return nics.ToImmutable();
    }

    private static long? Sum(ReadOnlySpan<char> values, int first, int second) =>
        ProcText.Number(ProcText.Field(values, first)) is { } a && ProcText.Number(ProcText.Field(values, second)) is { } b && a <= long.MaxValue - b
            ? a + b
            : null;
}
