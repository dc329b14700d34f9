using System.Runtime.InteropServices;

namespace Aggregator.Interop;

/// <summary>unistd.h and signal.h: becoming another program.</summary>
internal static unsafe partial class Libc
{
    internal const int SIGPIPE = 13;

    /// <summary>signal.h: the handler that is no handler.</summary>
    internal const nint SIG_DFL = 0;

    /// <summary>Searches PATH. Returns only if it failed.</summary>
    [LibraryImport(Library, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int execvpe(string file, byte** argv, byte** envp);

    [LibraryImport(Library, SetLastError = true)]
    internal static partial nint signal(int signum, nint handler);
}
