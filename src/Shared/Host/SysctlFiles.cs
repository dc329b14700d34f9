using System.Text;

namespace Aggregator.Host;

internal enum SysctlWrite
{
    Done,

    /// <summary>This kernel has no such setting.</summary>
    Absent,

    /// <summary>No right to change it (EACCES, EPERM, EROFS).</summary>
    Denied,

    /// <summary>The kernel does not take this value (EINVAL and others).</summary>
    Refused,
}

/// <summary>
/// Reads and writes /proc/sys. Settings below net/ are those of the calling thread's network namespace.
/// </summary>
/// <param name="root">/proc/sys, or a directory of a test.</param>
internal sealed class SysctlFiles(string root = "/proc/sys")
{
    /// <summary>The value with single spaces between its numbers; null when this kernel has no such setting or hides it.</summary>
    internal string? Read(SysctlName name)
    {
        try
        {
            return Normalise(File.ReadAllText(Path.Combine(root, name.Path)));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>
    /// False where the setting is there to be read only: the host's, seen from another network namespace. True says nothing of our own rights.
    /// </summary>
    internal bool IsWritable(SysctlName name)
    {
        try
        {
            return (File.GetUnixFileMode(Path.Combine(root, name.Path)) & UnixFileMode.UserWrite) != 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    internal SysctlWrite Write(SysctlName name, string value)
    {
        try
        {
            // Never FileMode.Create: a setting that the kernel lacks is an answer, not a file to make.
            using var file = File.OpenHandle(Path.Combine(root, name.Path), FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
            RandomAccess.Write(file, Encoding.ASCII.GetBytes(value + "\n"), fileOffset: 0);
            return SysctlWrite.Done;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return SysctlWrite.Absent;
        }
        catch (UnauthorizedAccessException)
        {
            return SysctlWrite.Denied;
        }
        catch (IOException e)
        {
            const int ReadOnlyFileSystem = 30; // EROFS, as in most containers
            return e.HResult == ReadOnlyFileSystem ? SysctlWrite.Denied : SysctlWrite.Refused;
        }
    }

    private static string Normalise(string text) =>
        string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
}
