using System.Globalization;
using Aggregator.Processes;
using Xunit;

namespace Aggregator.Network.Tests.Scenarios;

/// <summary>
/// A cgroup of version 1 of its own, and a mount of its controller for as long as it lives: `ip netns exec` hides the one below /sys from the programs that it
/// starts. What runs that were killed left behind is cleared by the next.
/// </summary>
internal sealed class CgroupDirectory : IAsyncDisposable
{
    /// <summary>Of the mounts below the temporary directory; behind it the process whose mount it is.</summary>
    private const string Prefix = "aggregator-cgroup-";

    /// <summary>Of the groups, whichever mount one looks through; named likewise.</summary>
    private const string Group = "aggregator-test-";

    private readonly string _mount;

    private CgroupDirectory(string mount) => (_mount, Path) = (mount, System.IO.Path.Combine(mount, $"{Group}{Environment.ProcessId}-{Guid.NewGuid():N}"));

    internal string Path { get; }

    /// <summary>Starts a program in the group: the words before its own command line.</summary>
    internal IReadOnlyList<string> Launcher => ["/bin/sh", "-c", $"echo $$ > {Path}/cgroup.procs && exec \"$@\"", "sh"];

    /// <param name="mounts">The controllers to mount, the first that can be: where one is mounted together with another it can only be had so.</param>
    internal static async Task<CgroupDirectory> CreateAsync(string controller, params string[] mounts)
    {
        Skip.IfNot(
            (await File.ReadAllLinesAsync("/proc/cgroups")).Any(l => l.StartsWith(controller + "\t", StringComparison.Ordinal) && l.EndsWith("\t1", StringComparison.Ordinal)),
            $"this kernel has no {controller} controller of version 1");
        await ClearAsync();
        string mount = Directory.CreateTempSubdirectory($"{Prefix}{Environment.ProcessId}-").FullName;
        ToolResult? result = null;
        foreach (string controllers in mounts)
        {
            result = await Tool.RunAsync("mount", ["-t", "cgroup", "-o", controllers, "none", mount]);
            if (result.Succeeded)
            {
                break;
            }
        }

        if (result is not { Succeeded: true })
        {
            Directory.Delete(mount);
            Skip.If(true, $"the {controller} controller cannot be mounted: {result?.Error}");
        }

        var group = new CgroupDirectory(mount);
        try
        {
            Directory.CreateDirectory(group.Path);
            return group;
        }
        catch
        {
            await group.DisposeAsync();
            throw;
        }
    }

    internal string Read(string file) => File.ReadAllText(System.IO.Path.Combine(Path, file));

    internal long Number(string file) => long.Parse(Read(file), CultureInfo.InvariantCulture);

    internal Task WriteAsync(string file, long number) =>
        File.WriteAllTextAsync(System.IO.Path.Combine(Path, file), number.ToString(CultureInfo.InvariantCulture));

    /// <summary>Its processes must have ended, or be about to.</summary>
    public async ValueTask DisposeAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        while (Directory.Exists(Path))
        {
            try
            {
                // rmdir; the files in it are the kernel's.
                Directory.Delete(Path);
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

    /// <summary>Takes away the groups and mounts of processes that are gone.</summary>
    private static async Task ClearAsync()
    {
        foreach (string mount in Left(System.IO.Path.GetTempPath(), Prefix))
        {
            foreach (string group in Left(mount, Group))
            {
                Remove(group);
            }

            await Tool.RunAsync("umount", [mount]);
            Remove(mount);
        }
    }

    private static IEnumerable<string> Left(string directory, string prefix) => Directory.GetDirectories(directory, prefix + "*").Where(d =>
    {
        string owner = System.IO.Path.GetFileName(d)[prefix.Length..].Split('-')[0];
        return int.TryParse(owner, NumberStyles.None, CultureInfo.InvariantCulture, out _) && !Directory.Exists($"/proc/{owner}");
    });

    private static void Remove(string directory)
    {
        try
        {
            Directory.Delete(directory);
        }
        catch (IOException)
        {
            // Another run clears it at the same time, or somebody is still in it.
        }
    }
}
