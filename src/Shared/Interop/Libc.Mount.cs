using System.Runtime.InteropServices;

namespace Aggregator.Interop;

/// <summary>sys/mount.h</summary>
internal static unsafe partial class Libc
{
    internal const int MNT_DETACH = 2;

    [LibraryImport(Library, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int umount2(string target, int flags);
}
