using System.Security.Cryptography;
using Aggregator.Interop;

namespace Aggregator.Settings;

/// <summary>
/// Files that are whole or not there, whatever happens meanwhile: temporary file in the same directory (0600 from its creation), fsync,
/// rename, fsync of the directory.
/// </summary>
internal static class AtomicFile
{
    internal const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Writes or replaces <paramref name="path"/>.</summary>
    /// <exception cref="StateException">It could not be written; what was there before is unchanged.</exception>
    internal static void Write(string path, ReadOnlySpan<byte> content, UnixFileMode mode = OwnerOnly)
    {
        string? temporary = null;
        try
        {
            temporary = WriteTemporary(path, content, mode);
            File.Move(temporary, path, overwrite: true);
            temporary = null;
            SyncDirectory(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw NotWritten(path, e);
        }
        finally
        {
            Discard(temporary);
        }
    }

    /// <summary>Makes <paramref name="path"/> only if it is not there. Of several processes that try at once, one succeeds.</summary>
    /// <returns>False: it was there already and is unchanged.</returns>
    /// <exception cref="StateException">It could not be written.</exception>
    internal static bool TryCreate(string path, ReadOnlySpan<byte> content, UnixFileMode mode = OwnerOnly)
    {
        string? temporary = null;
        try
        {
            temporary = WriteTemporary(path, content, mode);
            if (Libc.link(temporary, path) != 0)
            {
                return Libc.Errno == Libc.EEXIST ? false : throw Libc.Error("link");
            }

            SyncDirectory(path);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw NotWritten(path, e);
        }
        finally
        {
            Discard(temporary);
        }
    }

    /// <summary>Removes <paramref name="path"/>. Of several that try at once, one succeeds.</summary>
    /// <returns>False: it was not there.</returns>
    /// <exception cref="StateException">It could not be removed.</exception>
    internal static bool TryRemove(string path)
    {
        if (Libc.unlink(path) != 0)
        {
            return Libc.Errno == Libc.ENOENT ? false : throw new StateException(path, "cannot be removed", Libc.Error("unlink"));
        }

        SyncDirectory(path);
        return true;
    }

    private static string WriteTemporary(string path, ReadOnlySpan<byte> content, UnixFileMode mode)
    {
        string directory = DirectoryOf(path);
        string temporary = Path.Combine(directory, $".{Path.GetFileName(path)}.{RandomNumberGenerator.GetHexString(16, lowercase: true)}.tmp");
        var options = new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            Share = FileShare.None,
            UnixCreateMode = mode,
            BufferSize = 0,
        };
        using var file = new FileStream(temporary, options);
        try
        {
            file.Write(content);
            if (StateDirectory.OwnerForNewFiles(directory) is var (uid, gid) && Libc.fchown(file.SafeFileHandle, uid, gid) != 0)
            {
                throw Libc.Error("fchown");
            }

            file.Flush(flushToDisk: true);
            return temporary;
        }
        catch
        {
            Discard(temporary);
            throw;
        }
    }

    private static void Discard(string? temporary)
    {
        if (temporary is not null)
        {
            File.Delete(temporary);
        }
    }

    /// <summary>Without it the new name may be gone after a power cut.</summary>
    private static void SyncDirectory(string path)
    {
        int directory = Libc.open(DirectoryOf(path), Libc.O_RDONLY | Libc.O_CLOEXEC);
        if (directory < 0)
        {
            throw Libc.Error("open");
        }

        try
        {
            if (Libc.fsync(directory) != 0)
            {
                throw Libc.Error("fsync");
            }
        }
        finally
        {
            _ = Libc.close(directory);
        }
    }

    private static string DirectoryOf(string path) => Path.GetDirectoryName(Path.GetFullPath(path)) ?? "/";

    private static StateException NotWritten(string path, Exception e) => new(path, $"cannot be written ({Reason.Of(e)})", e);
}
