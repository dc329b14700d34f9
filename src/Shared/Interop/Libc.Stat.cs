using System.Runtime.InteropServices;

namespace Aggregator.Interop;

/// <summary>sys/stat.h.</summary>
internal static unsafe partial class Libc
{
    private const int AT_SYMLINK_NOFOLLOW = 0x100;
    private const uint STATX_TYPE = 1;
    private const int S_IFMT = 0xF000;
    private const int S_IFSOCK = 0xC000;

    [LibraryImport(Library, SetLastError = true)]
    internal static partial int fchmod(SafeHandle descriptor, uint mode);

    /// <summary>Whether there is a Unix socket at <paramref name="path"/> itself (links are not followed).</summary>
    internal static bool IsSocket(string path)
    {
        // struct statx (linux/stat.h): 256 bytes, stx_mode is the u16 at 28.
        byte* buffer = stackalloc byte[256];
        return statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_TYPE, buffer) == 0 && (*(ushort*)(buffer + 28) & S_IFMT) == S_IFSOCK;
    }

    [LibraryImport(Library, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int statx(int directory, string path, int flags, uint mask, byte* buffer);
}
