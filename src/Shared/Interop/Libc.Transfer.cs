using System.Runtime.InteropServices;

namespace Aggregator.Interop;

/// <summary>sys/socket.h: receiving and sending past .NET's own queues of operations.</summary>
internal static unsafe partial class Libc
{
    /// <summary>A peer that is gone is an error (EPIPE) and no signal.</summary>
    internal const int MSG_NOSIGNAL = 0x4000;

    /// <param name="address">Room for a sockaddr of <paramref name="addressLength"/> bytes; set to the sender's, and its length.</param>
    [LibraryImport(Library, SetLastError = true)]
    internal static partial nint recvfrom(SafeHandle descriptor, void* buffer, nuint length, int flags, byte* address, uint* addressLength);

    [LibraryImport(Library, SetLastError = true)]
    internal static partial nint sendto(SafeHandle descriptor, void* buffer, nuint length, int flags, byte* address, uint addressLength);

    [LibraryImport(Library, SetLastError = true)]
    internal static partial nint recv(SafeHandle descriptor, void* buffer, nuint length, int flags);

    [LibraryImport(Library, SetLastError = true)]
    internal static partial nint send(SafeHandle descriptor, void* buffer, nuint length, int flags);
}
