using System.Runtime.InteropServices;

namespace Aggregator.Interop;

/// <summary>poll.h and sys/eventfd.h: waiting for descriptors with a timeout in nanoseconds, and being woken.</summary>
internal static unsafe partial class Libc
{
    internal const short POLLIN = 0x0001;
    internal const short POLLERR = 0x0008;
    internal const short POLLHUP = 0x0010;
    internal const short POLLNVAL = 0x0020;

    internal const int EFD_NONBLOCK = O_NONBLOCK;
    internal const int EFD_CLOEXEC = O_CLOEXEC;

    [StructLayout(LayoutKind.Sequential)]
    internal struct @pollfd
    {
        /// <summary>Negative: left out of the wait.</summary>
        internal int fd;
        internal short events;
        internal short revents;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct @timespec
    {
        internal long tv_sec;
        internal long tv_nsec;
    }

    /// <param name="timeout">Null: no end.</param>
    /// <param name="sigmask">Null: the thread's signal mask stays.</param>
    [LibraryImport(Library, SetLastError = true)]
    internal static partial int ppoll(pollfd* fds, nuint nfds, timespec* timeout, void* sigmask);

    [LibraryImport(Library, SetLastError = true)]
    internal static partial int eventfd(uint initval, int flags);
}
