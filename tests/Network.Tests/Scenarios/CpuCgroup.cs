namespace Aggregator.Network.Tests.Scenarios;

/// <summary>A cpu cgroup of version 1 whose quota is changed while programs are in it.</summary>
internal sealed class CpuCgroup : IAsyncDisposable
{
    private const int PeriodUs = 100_000;

    private readonly CgroupDirectory _group;

    private CpuCgroup(CgroupDirectory group) => _group = group;

    /// <inheritdoc cref="CgroupDirectory.Launcher"/>
    internal IReadOnlyList<string> Launcher => _group.Launcher;

    internal static async Task<CpuCgroup> CreateAsync() => new(await CgroupDirectory.CreateAsync("cpu", "cpu", "cpu,cpuacct"));

    /// <param name="processors">Null: no quota.</param>
    internal Task LimitAsync(double? processors) =>
        _group.WriteAsync("cpu.cfs_quota_us", processors is { } some ? (int)(some * PeriodUs) : -1);

    public ValueTask DisposeAsync() => _group.DisposeAsync();
}
