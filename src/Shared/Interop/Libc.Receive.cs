using System.Runtime.InteropServices;

namespace Aggregator.Interop;

/// <summary>sys/socket.h: receiving past .NET's own queue of operations.</summary>
internal static unsafe partial class Libc
{
    [LibraryImport(Library, SetLastError = true)]
    internal static partial nint recv(SafeHandle descriptor, void* buffer, nuint length, int flags);
}
