using System.Runtime.InteropServices;

namespace Aggregator.Interop;

/// <summary>sys/socket.h, netinet/in.h, netinet/tcp.h, linux/mptcp.h.</summary>
internal static unsafe partial class Libc
{
    internal const int AF_INET = 2;
    internal const int AF_INET6 = 10;
    internal const int AF_NETLINK = 16;

    internal const int SOCK_STREAM = 1;
    internal const int SOCK_DGRAM = 2;
    internal const int SOCK_RAW = 3;
    internal const int SOCK_CLOEXEC = 0x80000;

    /// <summary>include/uapi/linux/in.h</summary>
    internal const int IPPROTO_MPTCP = 262;

    [LibraryImport(Library, SetLastError = true)]
    internal static partial int socket(int domain, int type, int protocol);

    /// <param name="address">Room for a sockaddr of <paramref name="length"/> bytes; set to the length it has.</param>
    [LibraryImport(Library, SetLastError = true)]
    internal static partial int getsockname(SafeHandle descriptor, byte* address, uint* length);
}
