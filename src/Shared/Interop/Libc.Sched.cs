using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Aggregator.Interop;

/// <summary>sched.h: namespaces and scheduling classes. Both belong to the calling thread.</summary>
internal static unsafe partial class Libc
{
    internal const int CLONE_NEWNET = 0x40000000;

    internal const int SCHED_OTHER = 0;
    internal const int SCHED_FIFO = 1;

    [StructLayout(LayoutKind.Sequential)]
    internal struct sched_param
    {
        internal int sched_priority;
    }

    [LibraryImport(Library, SetLastError = true)]
    internal static partial int setns(SafeFileHandle fd, int nstype);

    /// <param name="pid">0: the calling thread.</param>
    [LibraryImport(Library, SetLastError = true)]
    internal static partial int sched_setscheduler(int pid, int policy, sched_param* param);
}
