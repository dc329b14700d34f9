using Aggregator.Interop;

namespace Aggregator.Gateway.Events;

/// <summary>The programs of a hook directory, in the order of their names.</summary>
internal static class HookDirectory
{
    /// <summary>More is a mistake (a directory of something else), not a set of hooks.</summary>
    internal const int MaxHooks = 64;

    private const int TypeMask = 0xf000; // S_IFMT
    private const int RegularFile = 0x8000; // S_IFREG
    private const int Executable = 0x49; // 0111
    private const int WritableByOthers = 0x12; // 0022

    /// <param name="problems">Programs that are not run because others than root and the daemon's user could change them, and the like.</param>
    internal static IReadOnlyList<string> List(string directory, List<string> problems)
    {
        string[] names;
        try
        {
            names = Directory.GetFileSystemEntries(directory);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            problems.Add($"{directory}: {e.Message}");
            return [];
        }

        var hooks = new List<string>();
        foreach (string path in names.Order(StringComparer.Ordinal))
        {
            // Editors' copies and hidden files, as run-parts(8) leaves them out.
            string name = Path.GetFileName(path);
            if (name[0] == '.' || name[^1] == '~')
            {
                continue;
            }

            if (Problem(path) is { } problem)
            {
                if (problem.Length > 0)
                {
                    problems.Add(problem);
                }

                continue;
            }

            if (hooks.Count == MaxHooks)
            {
                problems.Add($"{directory} has more than {MaxHooks} programs; {name} and those after it are not run");
                break;
            }

            hooks.Add(path);
        }

        return hooks;
    }

    /// <returns>Null: run it. Empty: it is no program, and need not be.</returns>
    private static string? Problem(string path)
    {
        try
        {
            using var file = File.OpenHandle(path);
            if (Libc.statx(file, "", Libc.AT_EMPTY_PATH, Libc.STATX_BASIC_STATS, out var stat) != 0)
            {
                throw Libc.Error("statx");
            }

            return (stat.Mode & TypeMask) != RegularFile || (stat.Mode & Executable) == 0 ? ""
                : stat.Uid != 0 && stat.Uid != Libc.geteuid() ? $"{path} is not run: it belongs to another user (uid {stat.Uid})"
                : (stat.Mode & WritableByOthers) != 0 ? $"{path} is not run: others may change it (`chmod go-w {path}`)"
                : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Directory.Exists(path) ? "" : $"{path} is not run: {e.Message}";
        }
    }
}
