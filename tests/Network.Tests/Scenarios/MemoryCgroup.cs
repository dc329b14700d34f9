using System.Globalization;
using Aggregator.Processes;
using Xunit;

namespace Aggregator.Network.Tests.Scenarios;

/// <summary>
/// A memory cgroup of version 1 with a limit, and a mount of the controller for as long as the group lives.
/// </summary>
internal sealed class MemoryCgroup : IAsyncDisposable
{
    private readonly string _mount;
    private readonly string _directory;

    private MemoryCgroup(string mount, string directory) => (_mount, _directory) = (mount, directory);

    /// <summary>Bytes charged now, and at most so far.</summary>
    internal long UsageBytes => Number("memory.usage_in_bytes");

    internal long PeakBytes => Number("memory.max_usage_in_bytes");

    /// <summary>Processes that the kernel killed for want of memory in it.</summary>
    internal long Kills => long.Parse(
        File.ReadLines(Path.Combine(_directory, "memory.oom_control")).Single(l => l.StartsWith("oom_kill ", StringComparison.Ordinal))[9..], CultureInfo.InvariantCulture);

    /// <summary>Starts a program in the group: the words before its own command line.</summary>
    internal IReadOnlyList<string> Launcher => ["/bin/sh", "-c", $"echo $$ > {_directory}/cgroup.procs && exec \"$@\"", "sh"];

    internal static async Task<MemoryCgroup> CreateAsync(long limitBytes)
    {
        Skip.IfNot(
            (await File.ReadAllLinesAsync("/proc/cgroups")).Any(l => l.StartsWith("memory\t", StringComparison.Ordinal) && l.EndsWith("\t1", StringComparison.Ordinal)),
            "this kernel has no memory controller of version 1");
        // A mount of its own: `ip netns exec` hides the one below /sys from the programs that it starts.
        string mount = Directory.CreateTempSubdirectory("aggregator-cgroup-").FullName;
        ToolResult result = await Tool.RunAsync("mount", ["-t", "cgroup", "-o", "memory", "none", mount]);
        if (!result.Succeeded)
        {
            Directory.Delete(mount);
            Skip.If(true, $"the memory controller cannot be mounted: {result.Error}");
        }

        string directory = Path.Combine(mount, $"aggregator-test-{Guid.NewGuid():N}");
        var group = new MemoryCgroup(mount, directory);
        try
        {
            Directory.CreateDirectory(directory);
            await File.WriteAllTextAsync(Path.Combine(directory, "memory.limit_in_bytes"), limitBytes.ToString(CultureInfo.InvariantCulture));
            return group;
        }
        catch
        {
            await group.DisposeAsync();
            throw;
        }
    }

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

    private long Number(string file) => long.Parse(File.ReadAllText(Path.Combine(_directory, file)), CultureInfo.InvariantCulture);
}
