using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Aggregator.Interop;

/// <summary>unistd.h and fcntl.h: reading and writing descriptors that are no files.</summary>
internal static unsafe partial class Libc
{
    internal const int O_RDWR = 2;
    internal const int O_NONBLOCK = 0x800;

    [LibraryImport(Library, SetLastError = true)]
    internal static partial nint read(SafeFileHandle fd, byte* buffer, nuint count);

    /// <summary>Fills <paramref name="buffer"/> as far as it reaches, without an end mark; returns how much, or -1.</summary>
    [LibraryImport(Library, SetLastError = true)]
    internal static partial nint readlink(byte* path, byte* buffer, nuint size);

    [LibraryImport(Library, SetLastError = true)]
    internal static partial nint write(SafeFileHandle fd, byte* buffer, nuint count);
}
