using System.Globalization;

namespace Aggregator.Network.Tests.Scenarios;

/// <summary>A memory cgroup of version 1 with a limit.</summary>
internal sealed class MemoryCgroup : IAsyncDisposable
{
    private readonly CgroupDirectory _group;

    private MemoryCgroup(CgroupDirectory group) => _group = group;

    /// <summary>Bytes charged now, and at most so far.</summary>
    internal long UsageBytes => _group.Number("memory.usage_in_bytes");

    internal long PeakBytes => _group.Number("memory.max_usage_in_bytes");

    /// <summary>Processes that the kernel killed for want of memory in it.</summary>
    internal long Kills => long.Parse(
        _group.Read("memory.oom_control").Split('\n').Single(l => l.StartsWith("oom_kill ", StringComparison.Ordinal))[9..], CultureInfo.InvariantCulture);

    /// <inheritdoc cref="CgroupDirectory.Launcher"/>
    internal IReadOnlyList<string> Launcher => _group.Launcher;

    internal static async Task<MemoryCgroup> CreateAsync(long limitBytes)
    {
        CgroupDirectory group = await CgroupDirectory.CreateAsync("memory", "memory");
        try
        {
            await group.WriteAsync("memory.limit_in_bytes", limitBytes);
            return new MemoryCgroup(group);
        }
        catch
        {
            await group.DisposeAsync();
            throw;
        }
    }

    public ValueTask DisposeAsync() => _group.DisposeAsync();
}
