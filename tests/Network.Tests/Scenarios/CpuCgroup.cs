using System.Globalization;
using Aggregator.Processes;
using Xunit;

namespace Aggregator.Network.Tests.Scenarios;

/// <summary>A cpu cgroup of version 1 whose quota is changed while programs are in it, and a mount of the controller for as long as the group lives.</summary>
internal sealed class CpuCgroup : IAsyncDisposable
{
    private const int PeriodUs = 100_000;

    private readonly string _mount;
    private readonly string _directory;

    private CpuCgroup(string mount, string directory) => (_mount, _directory) = (mount, directory);

    /// <summary>Starts a program in the group: the words before its own command line.</summary>
    internal IReadOnlyList<string> Launcher => ["/bin/sh", "-c", $"echo $$ > {_directory}/cgroup.procs && exec \"$@\"", "sh"];

    internal static async Task<CpuCgroup> CreateAsync()
    {
        Skip.IfNot(
            (await File.ReadAllLinesAsync("/proc/cgroups")).Any(l => l.StartsWith("cpu\t", StringComparison.Ordinal) && l.EndsWith("\t1", StringComparison.Ordinal)),
            "this kernel has no cpu controller of version 1");
        // A mount of its own: `ip netns exec` hides the one below /sys from the programs that it starts.
        string mount = Directory.CreateTempSubdirectory("aggregator-cgroup-").FullName;
        ToolResult result = await Tool.RunAsync("mount", ["-t", "cgroup", "-o", "cpu", "none", mount]);
        if (!result.Succeeded)
        {
            // Where it is mounted together with the other one it can only be had together with it.
            result = await Tool.RunAsync("mount", ["-t", "cgroup", "-o", "cpu,cpuacct", "none", mount]);
        }

        if (!result.Succeeded)
        {
            Directory.Delete(mount);
            Skip.If(true, $"the cpu controller cannot be mounted: {result.Error}");
        }

        string directory = Path.Combine(mount, $"aggregator-test-{Guid.NewGuid():N}");
        Directory.CreateDirectory(directory);
        return new CpuCgroup(mount, directory);
    }

    /// <param name="processors">Null: no quota.</param>
    internal Task LimitAsync(double? processors) => File.WriteAllTextAsync(
        Path.Combine(_directory, "cpu.cfs_quota_us"), (processors is { } some ? (int)(some * PeriodUs) : -1).ToString(CultureInfo.InvariantCulture));

    /// <summary>Its processes must have ended, or be about to.</summary>
    public async ValueTask DisposeAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        while (Directory.Exists(_directory))
        {
            try
            {
                // rmdir; the files in it are the kernel's.
                Directory.Delete(_directory);
            }
            catch (IOException) when (!limit.IsCancellationRequested)
            {
                // A process that was killed is in it until it is reaped.
                await Task.Delay(50);
            }
        }

        (await Tool.RunAsync("umount", [_mount])).OutputOrThrow();
        Directory.Delete(_mount);
    }
}
