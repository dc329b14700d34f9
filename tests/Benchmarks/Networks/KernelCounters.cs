using System.Globalization;
using Aggregator.Lab.Topology;

namespace Aggregator.Benchmarks.Networks;

/// <summary>One group of a host's /proc/net/netstat: a line of names and a line of numbers behind the group's name.</summary>
internal static class KernelCounters
{
    /// <exception cref="InvalidDataException">This kernel has no such group.</exception>
    internal static async Task<IReadOnlyDictionary<string, long>> ReadAsync(LabHost host, string group)
    {
        string[][] lines = [.. (await host.OutputAsync("cat", "/proc/net/netstat")).Split('\n')
            .Where(l => l.StartsWith(group + ":", StringComparison.Ordinal)).Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries))];
        return lines is [var names, var numbers]
            ? names.Zip(numbers).Skip(1).ToDictionary(n => n.First, n => long.Parse(n.Second, CultureInfo.InvariantCulture))
            : throw new InvalidDataException($"/proc/net/netstat has no {group}");
    }
}
