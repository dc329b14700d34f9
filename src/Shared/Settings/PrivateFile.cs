using Aggregator.Interop;

namespace Aggregator.Settings;

/// <summary>Reads files that hold secrets, and only such that nobody else can have read or written.</summary>
internal static class PrivateFile
{
    private const int GroupAndOthers = 0x3f; // 0077
    private const int TypeMask = 0xf000; // S_IFMT
    private const int RegularFile = 0x8000; // S_IFREG

    /// <returns>The content, or null where there is no such file.</returns>
    /// <exception cref="StateException">Larger than <paramref name="maxBytes"/>, not ours, open to others, not a regular file, or not readable.</exception>
    internal static byte[]? TryRead(string path, int maxBytes)
    {
        try
        {
            using var file = File.OpenHandle(path);
            if (Libc.statx(file, "", Libc.AT_EMPTY_PATH, Libc.STATX_BASIC_STATS, out var stat) != 0)
            {
                throw Libc.Error("statx");
            }

            Check(path, stat, maxBytes);
            var content = new byte[(int)stat.Size];
            int length = 0;
            while (length < content.Length && RandomAccess.Read(file, content.AsSpan(length), length) is > 0 and var n)
            {
                length += n;
            }

            return length == content.Length ? content : content[..length];
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception e) when (e is (IOException and not StateException) or UnauthorizedAccessException)
        {
            throw new StateException(path, $"cannot be read ({Reason.Of(e)}); run this as the file's owner or as root", e);
        }
    }

    private static void Check(string path, in Libc.StatX stat, int maxBytes)
    {
        if ((stat.Mode & TypeMask) != RegularFile)
        {
            throw new StateException(path, "is not a regular file; remove it");
        }

        uint self = Libc.geteuid();
        var owner = StateDirectory.OwnerForNewFiles(Path.GetDirectoryName(Path.GetFullPath(path)) ?? "/");
        if (stat.Uid != self && stat.Uid != owner?.Uid)
        {
            throw new StateException(path, $"belongs to another user (uid {stat.Uid}, we are {self}); run this as that user, or remove the file if it is not yours");
        }

        if ((stat.Mode & GroupAndOthers) != 0)
        {
            string mode = Convert.ToString(stat.Mode & 0x1ff, 8).PadLeft(4, '0');
            throw new StateException(path, $"other users may open it (mode {mode}); `chmod 600 {path}` if you are sure that nobody copied it, otherwise remove it and pair again");
        }

        if (stat.Size > (ulong)maxBytes)
        {
            throw new StateException(path, $"is {stat.Size} bytes long, more than the {maxBytes} that such a file can have; it is damaged, remove it");
        }
    }
}
