using Aggregator.Interop;
using Aggregator.Lab.Topology;

namespace Aggregator.Lab.Ownership;

/// <summary>Takes namespaces away with everything that runs in them.</summary>
internal static class NamespaceRemoval
{
    private static readonly TimeSpan LongestDeath = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(10);

    /// <summary>Kills, waits until they are dead, and unlinks. The kernel takes the interfaces away on its own.</summary>
    internal static async Task RemoveAsync(IReadOnlyCollection<string> names)
    {
        var identities = Identities(names);
        long start = TimeProvider.System.GetTimestamp();
        while (Kill(identities) > 0 && TimeProvider.System.GetElapsedTime(start) < LongestDeath)
        {
            await Task.Delay(LookAgain);
        }

        Unlink(names);
    }

    /// <summary>The same for the last moments of a process, which has nobody to wait for it.</summary>
    internal static void RemoveNow(IReadOnlyCollection<string> names)
    {
        var identities = Identities(names);
        using var never = new ManualResetEventSlim();
        long start = TimeProvider.System.GetTimestamp();
        while (Kill(identities) > 0 && TimeProvider.System.GetElapsedTime(start) < LongestDeath)
        {
            never.Wait(LookAgain);
        }

        Unlink(names);
    }

    /// <summary>Namespaces whose name begins so.</summary>
    internal static string[] WithPrefix(string prefix) => Directory.Exists(NetworkNamespace.Folder)
        ? [.. Directory.EnumerateFiles(NetworkNamespace.Folder, prefix + "*").Select(Path.GetFileName).OfType<string>()]
        : [];

    private static HashSet<string> Identities(IEnumerable<string> names)
    {
        var identities = new HashSet<string>();
        foreach (string name in names)
        {
            try
            {
                identities.Add(NetworkNamespace.Run(name, () => new FileInfo("/proc/thread-self/ns/net").LinkTarget!));
            }
            catch (LibcException)
            {
                // Made only half (a plain file) or gone by now: nothing can run in it.
            }
        }

        return identities;
    }

    /// <summary>How many processes had to be killed. Our own namespace is never among the given ones.</summary>
    private static int Kill(HashSet<string> identities)
    {
        if (identities.Count == 0)
        {
            return 0;
        }

        int killed = 0;
        foreach (string folder in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(folder), out int id) && id != Environment.ProcessId && NamespaceOf(id) is { } its
                && identities.Contains(its) && Libc.kill(id, Libc.SIGKILL) == 0)
            {
                killed++;
            }
        }

        return killed;
    }

    /// <summary>Null: it has ended, also when its parent has not yet taken notice.</summary>
    private static string? NamespaceOf(int id)
    {
        try
        {
            return new FileInfo($"/proc/{id}/ns/net").LinkTarget;
        }
        catch (IOException)
        {
            return null;
        }
        catch (UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static void Unlink(IEnumerable<string> names)
    {
        foreach (string name in names)
        {
            string path = NetworkNamespace.PathOf(name);

            // EINVAL: not mounted, because its making was cut short; ENOENT: another cleaner was quicker.
            _ = Libc.umount2(path, Libc.MNT_DETACH);
            File.Delete(path);
        }
    }
}
