using Aggregator.Interop;

namespace Aggregator.Settings;

/// <summary>The directories that hold keys and state: made 0700, and refused where others may write into them.</summary>
internal static class StateDirectory
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode OthersMayWrite = UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;

    /// <summary>Makes <paramref name="path"/> (0700) unless it is there.</summary>
    /// <exception cref="StateException">It cannot be made, or others could replace files in it.</exception>
    internal static void Ensure(string path)
    {
        UnixFileMode mode;
        try
        {
            if (!Directory.Exists(path))
            {
                Directory.CreateDirectory(path, OwnerOnly);
                GiveToOwnerOfParent(path);
            }

            mode = File.GetUnixFileMode(path);
        }
        catch (UnauthorizedAccessException e)
        {
            throw NotAllowed(path, e);
        }
        catch (IOException e)
        {
            throw new StateException(path, $"the directory cannot be made ({Reason.Of(e)}); make it yourself or choose another `state`", e);
        }

        if ((mode & OthersMayWrite) != 0)
        {
            throw new StateException(path, $"other users may write into this directory; make it private with `chmod 700 {path}`");
        }
    }

    /// <summary>Paths of the files in <paramref name="path"/> that match, at most <paramref name="max"/>.</summary>
    /// <exception cref="StateException">The directory cannot be read.</exception>
    internal static IReadOnlyList<string> Files(string path, string pattern, int max)
    {
        try
        {
            return [.. Directory.EnumerateFiles(path, pattern).Take(max)];
        }
        catch (UnauthorizedAccessException e)
        {
            throw NotAllowed(path, e);
        }
        catch (IOException e)
        {
            throw new StateException(path, $"the directory cannot be read ({Reason.Of(e)})", e);
        }
    }

    /// <summary>
    /// Whom a new file in <paramref name="directory"/> must belong to, so that a command run by root leaves nothing that a daemon under
    /// another user cannot read: the directory's owner when we are root, else null (ourselves).
    /// </summary>
    internal static (uint Uid, uint Gid)? OwnerForNewFiles(string directory)
    {
        if (Libc.geteuid() != 0 || Libc.statx(Libc.AT_FDCWD, directory, 0, Libc.STATX_BASIC_STATS, out var stat) != 0)
        {
            return null;
        }

        return stat.Uid == 0 ? null : (stat.Uid, stat.Gid);
    }

    private static void GiveToOwnerOfParent(string path)
    {
        string parent = Path.GetDirectoryName(Path.GetFullPath(path)) ?? "/";
        if (OwnerForNewFiles(parent) is var (uid, gid) && Libc.chown(path, uid, gid) != 0)
        {
            throw Libc.Error("chown");
        }
    }

    private static StateException NotAllowed(string path, Exception e) =>
        new(path, "permission denied; run this as root or as the owner of `state`", e);
}
