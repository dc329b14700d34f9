using System.Runtime.InteropServices;

namespace Aggregator.Interop;

/// <summary>signal.h</summary>
internal static unsafe partial class Libc
{
    internal const int SIGHUP = 1;
    internal const int SIGINT = 2;
    internal const int SIGKILL = 9;
    internal const int SIGTERM = 15;

    /// <param name="pid">Negative: the process group of that number.</param>
    [LibraryImport(Library, SetLastError = true)]
    internal static partial int kill(int pid, int sig);
}
