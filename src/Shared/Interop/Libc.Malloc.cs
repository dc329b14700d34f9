using System.Runtime.InteropServices;

namespace Aggregator.Interop;

/// <summary>malloc.h</summary>
internal static unsafe partial class Libc
{
    /// <summary>Returns free memory of all arenas to the kernel (glibc 2.8); 1 where there was any.</summary>
    [LibraryImport(Library)]
    internal static partial int malloc_trim(nuint pad);
}
