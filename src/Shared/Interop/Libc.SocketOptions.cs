using System.Runtime.InteropServices;

namespace Aggregator.Interop;

/// <summary>asm-generic/socket.h, linux/in.h, linux/in6.h, linux/tcp.h: option levels and numbers, getsockopt and setsockopt with errno kept.</summary>
internal static unsafe partial class Libc
{
    internal const int SOL_SOCKET = 1;
    internal const int SO_REUSEADDR = 2;
    internal const int SO_ERROR = 4;
    internal const int SO_SNDBUF = 7;
    internal const int SO_RCVBUF = 8;
    internal const int SO_KEEPALIVE = 9;
    internal const int SO_BINDTODEVICE = 25;
    internal const int SO_SNDBUFFORCE = 32;
    internal const int SO_RCVBUFFORCE = 33;

    /// <summary>Since Linux 5.15: which of the two sizes are held fast (SOCK_SNDBUF_LOCK, SOCK_RCVBUF_LOCK) in place of being the kernel's to change.</summary>
    internal const int SO_BUF_LOCK = 72;
    internal const int SO_MARK = 36;
    internal const int SO_PROTOCOL = 38;
    internal const int SO_MAX_PACING_RATE = 47;

    internal const int SOL_IP = 0;
    internal const int IP_MTU = 14;
    internal const int IP_FREEBIND = 15;
    internal const int IP_TRANSPARENT = 19;

    internal const int SOL_IPV6 = 41;
    internal const int IPV6_MTU = 24;
    internal const int IPV6_V6ONLY = 26;
    internal const int IPV6_TRANSPARENT = 75;

    internal const int SOL_TCP = 6;
    internal const int TCP_NODELAY = 1;
    internal const int TCP_KEEPIDLE = 4;
    internal const int TCP_KEEPINTVL = 5;
    internal const int TCP_KEEPCNT = 6;
    internal const int TCP_INFO = 11;
    internal const int TCP_CONGESTION = 13;
    internal const int TCP_NOTSENT_LOWAT = 25;
    internal const int TCP_IS_MPTCP = 43;

    [LibraryImport(Library, SetLastError = true)]
    internal static partial int setsockopt(SafeHandle descriptor, int level, int name, void* value, uint length);

    [LibraryImport(Library, SetLastError = true)]
    internal static partial int getsockopt(SafeHandle descriptor, int level, int name, void* value, uint* length);
}
