using System.Runtime.InteropServices;

namespace Aggregator.Interop;

/// <summary>sys/resource.h.</summary>
internal static unsafe partial class Libc
{
    internal const int RLIMIT_NOFILE = 7;

    /// <summary>struct rlimit.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct resource_limit
    {
        internal ulong rlim_cur;
        internal ulong rlim_max;
    }

    [LibraryImport(Library, SetLastError = true)]
    internal static partial int getrlimit(int resource, resource_limit* limit);
}
