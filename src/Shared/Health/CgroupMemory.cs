using System.Text;

namespace Aggregator.Health;

/// <summary>
/// The memory limit that this process is under, of both versions of cgroups (Documentation/admin-guide/cgroup-v1/memory.rst, cgroup-v2.rst).
/// A limit holds for all groups below it, so the lowest on the way up counts.
/// </summary>
/// <param name="LimitBytes">The lowest limit.</param>
/// <param name="AvailableBytes">
/// What can be taken before one of the limits is met; file pages that nobody used lately do not count as used. Null: the groups do not tell.
/// </param>
internal readonly record struct CgroupMemory(long LimitBytes, long? AvailableBytes)
{
    /// <summary>Groups are seldom ten deep; more than this is an odd file.</summary>
    private const int MaxDepth = 64;

    /// <summary>"No limit" in version 1 is the largest multiple of a page in a long; nothing near it is a limit.</summary>
    private const long Unlimited = long.MaxValue / 2;

    internal static CgroupMemory? Read(HostFiles files)
    {
        CgroupMemory? lowest = null;
        foreach (var group in files.CgroupPlaces(() => Find(files)))
        {
            if (ReadOne(files, group.Directory, group.IsSecond) is { } one)
            {
                lowest = lowest is { } before ? Lower(before, one) : one;
            }
        }

        return lowest;
    }

    /// <summary>The groups that this process is in and that can be seen, its own first.</summary>
    private static List<CgroupPlace> Find(HostFiles files)
    {
        if (files.Read("/proc/self/cgroup") is not { } groups)
        {
            return [];
        }

        // `ip netns exec` gives its program a /sys without cgroups; whoever started that one still sees them.
        var own = Find(files, groups, "self", "");
        return own.Count == 0 && ProcText.Value(files.Read("/proc/self/status"), "PPid:") is { } parent and > 0
            ? Find(files, groups, $"{parent}", $"/proc/{parent}/root")
            : own;
    }

    private static List<CgroupPlace> Find(HostFiles files, string groups, string process, string root)
    {
        string mounts = files.Read($"/proc/{process}/mountinfo") ?? "";
        // A group of version 2 without the controller (a hybrid host's) has no such file, nor has its root.
        return
        [
            .. Directories(groups, mounts, second: false).Select(d => new CgroupPlace(root + d, IsSecond: false))
                .Where(p => files.Read(p.Directory + "/memory.limit_in_bytes") is not null),
            .. Directories(groups, mounts, second: true).Select(d => new CgroupPlace(root + d, IsSecond: true))
                .Where(p => files.Read(p.Directory + "/memory.max") is not null || files.Read(p.Directory + "/memory.high") is not null),
        ];
    }

    /// <summary>The process' group and those above it, as far as they are mounted here; empty: none of this version has the memory controller.</summary>
    internal static IReadOnlyList<string> Directories(string groups, string mounts, bool second)
    {
        if (GroupPath(groups, second) is not { } path || Mount(mounts, second) is not var (root, point) || point is null)
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

    private static CgroupMemory? ReadOne(HostFiles files, string directory, bool second)
    {
        string? stat;
        long? limit, used, droppable;
        if (second)
        {
            long? max = ProcText.OnlyNumber(files.Read(directory + "/memory.max"));
            long? high = ProcText.OnlyNumber(files.Read(directory + "/memory.high"));
            // "max" is no number and so null: no limit.
            limit = max is null ? high : high is null ? max : Math.Min(max.Value, high.Value);
            if (limit is null)
            {
                return null;
            }

            used = ProcText.OnlyNumber(files.Read(directory + "/memory.current"));
            stat = files.Read(directory + "/memory.stat");
            droppable = ProcText.Value(stat, "inactive_file");
        }
        else
        {
            limit = ProcText.OnlyNumber(files.Read(directory + "/memory.limit_in_bytes"));
            if (limit is null or >= Unlimited)
            {
                return null;
            }

            used = ProcText.OnlyNumber(files.Read(directory + "/memory.usage_in_bytes"));
            stat = files.Read(directory + "/memory.stat");
            droppable = ProcText.Value(stat, "total_inactive_file");
        }

        long? available = used is { } bytes
            ? Math.Clamp(limit.Value - Math.Max(0, bytes - Math.Min(bytes, droppable ?? 0)), 0, limit.Value)
            : null;
        return new CgroupMemory(limit.Value, available);
    }

    private static CgroupMemory Lower(CgroupMemory a, CgroupMemory b) => new(
        Math.Min(a.LimitBytes, b.LimitBytes),
        a.AvailableBytes is { } x && b.AvailableBytes is { } y ? Math.Min(x, y) : a.AvailableBytes ?? b.AvailableBytes);

    /// <summary>cgroups(7): `4:memory,hugetlb:/path` of version 1, `0::/path` of version 2.</summary>
    private static string? GroupPath(string groups, bool second)
    {
        foreach (string line in groups.Split('\n'))
        {
            if (line.Split(':', 3) is [var number, var controllers, ['/', ..] path]
                && (second ? number == "0" && controllers.Length == 0 : controllers.Split(',').Contains("memory")))
            {
                return path;
            }
        }

        return null;
    }

    /// <summary>proc_pid_mountinfo(5): `36 35 98:0 ROOT POINT OPTIONS [FIELDS] - TYPE SOURCE SUPER-OPTIONS`.</summary>
    private static (string Root, string Point)? Mount(string mounts, bool second)
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

            if (second ? back[0] == "cgroup2" : back[0] == "cgroup" && back[2].Split(',').Contains("memory"))
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

/// <summary>A directory of a memory cgroup, of version 1 or 2.</summary>
internal readonly record struct CgroupPlace(string Directory, bool IsSecond);
