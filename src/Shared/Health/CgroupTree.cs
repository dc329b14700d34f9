using System.Text;

namespace Aggregator.Health;

/// <summary>
/// Where a process' cgroups are in the file system, of both versions (Documentation/admin-guide/cgroup-v1/cgroups.rst, cgroup-v2.rst): what limits a
/// group limits all below it, so the whole way up is of interest.
/// </summary>
internal static class CgroupTree
{
    /// <summary>Groups are seldom ten deep; more than this is an odd file.</summary>
    private const int MaxDepth = 64;

    /// <summary>The groups that this process is in and that can be seen, its own first.</summary>
    /// <param name="controller">By its name in version 1.</param>
    /// <param name="has">Whether a group has the controller's files.</param>
    internal static IReadOnlyList<CgroupPlace> Find(HostFiles files, string controller, Func<CgroupPlace, bool> has)
    {
        if (files.Read("/proc/self/cgroup") is not { } groups)
        {
            return [];
        }

        // `ip netns exec` gives its program a /sys without cgroups; whoever started that one still sees them.
        var own = Find(files, groups, "self", "", controller, has);
        return own.Count == 0 && ProcText.Value(files.Read("/proc/self/status"), "PPid:") is { } parent and > 0
            ? Find(files, groups, $"{parent}", $"/proc/{parent}/root", controller, has)
            : own;
    }

    private static List<CgroupPlace> Find(HostFiles files, string groups, string process, string root, string controller, Func<CgroupPlace, bool> has)
    {
        string mounts = files.Read($"/proc/{process}/mountinfo") ?? "";
        return
        [
            .. Directories(groups, mounts, controller).Select(d => new CgroupPlace(root + d, IsSecond: false))
                .Concat(Directories(groups, mounts, null).Select(d => new CgroupPlace(root + d, IsSecond: true)))
                .Where(has),
        ];
    }

    /// <summary>The process' group and those above it, as far as they are mounted here; empty: none of this version has the controller.</summary>
    /// <param name="controller">Of version 1; null: version 2.</param>
    internal static IReadOnlyList<string> Directories(string groups, string mounts, string? controller)
    {
        if (GroupPath(groups, controller) is not { } path || Mount(mounts, controller) is not var (root, point) || point is null)
        {
            return [];
        }

        // The path is as seen from the hierarchy's root (or the cgroup namespace's); the mount may show a part of it only, as in containers.
        string below = root == "/" ? path
            : path == root ? "/"
            : path.StartsWith(root + "/", StringComparison.Ordinal) ? path[root.Length..]
            : "/";
        var parts = below.Split('/', StringSplitOptions.RemoveEmptyEntries);
        if (parts.Length > MaxDepth || parts.Contains(".."))
        {
            parts = [];
        }

        return [.. Enumerable.Range(0, parts.Length + 1).Select(up => Path.Join([point, .. parts[..^up]]))];
    }

    /// <summary>cgroups(7): `4:memory,hugetlb:/path` of version 1, `0::/path` of version 2.</summary>
    private static string? GroupPath(string groups, string? controller)
    {
        foreach (string line in groups.Split('\n'))
        {
            if (line.Split(':', 3) is [var number, var controllers, ['/', ..] path]
                && (controller is null ? number == "0" && controllers.Length == 0 : controllers.Split(',').Contains(controller)))
            {
                return path;
            }
        }

        return null;
    }

    /// <summary>proc_pid_mountinfo(5): `36 35 98:0 ROOT POINT OPTIONS [FIELDS] - TYPE SOURCE SUPER-OPTIONS`.</summary>
    private static (string Root, string Point)? Mount(string mounts, string? controller)
    {
        foreach (string line in mounts.Split('\n'))
        {
            int dash = line.IndexOf(" - ", StringComparison.Ordinal);
            if (dash < 0)
            {
                continue;
            }

            string[] front = line[..dash].Split(' '), back = line[(dash + 3)..].Split(' ');
            if (front.Length < 6 || back.Length < 3)
            {
                continue;
            }

            if (controller is null ? back[0] == "cgroup2" : back[0] == "cgroup" && back[2].Split(',').Contains(controller))
            {
                return (Unescaped(front[3]), Unescaped(front[4]));
            }
        }

        return null;
    }

    /// <summary>Blanks in paths are `\040` and so on.</summary>
    private static string Unescaped(string text)
    {
        if (!text.Contains('\\', StringComparison.Ordinal))
        {
            return text;
        }

        var plain = new StringBuilder(text.Length);
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] == '\\' && i + 3 < text.Length && text.AsSpan(i + 1, 3) is [>= '0' and <= '3' and var a, >= '0' and <= '7' and var b, >= '0' and <= '7' and var c])
            {
                plain.Append((char)(((a - '0') * 64) + ((b - '0') * 8) + (c - '0')));
                i += 3;
            }
            else
            {
                plain.Append(text[i]);
            }
        }

        return plain.ToString();
    }
}

/// <summary>A directory of a cgroup, of version 1 or 2.</summary>
internal readonly record struct CgroupPlace(string Directory, bool IsSecond);
