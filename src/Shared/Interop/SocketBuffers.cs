using System.Net.Sockets;

namespace Aggregator.Interop;

/// <summary>
/// What any kind of socket may hold in its queues; the kernel takes twice as much, for its own needs, and does not size it by itself any more.
/// Beyond net.core.wmem_max and rmem_max with CAP_NET_ADMIN only; without it as far as these go.
/// </summary>
internal static class SocketBuffers
{
    internal static void SetSend(SafeSocketHandle socket, int bytes) => Set(socket, Libc.SO_SNDBUFFORCE, Libc.SO_SNDBUF, bytes, "SO_SNDBUF");

    internal static void SetReceive(SafeSocketHandle socket, int bytes) => Set(socket, Libc.SO_RCVBUFFORCE, Libc.SO_RCVBUF, bytes, "SO_RCVBUF");

    /// <summary>
    /// What it begins with in place of tcp_rmem's second number, and grows from: the kernel goes on to size it (the lock that SO_RCVBUF leaves is taken
    /// off). Connections that a listening socket accepts take it over, and their window's scale does not follow it.
    /// </summary>
    internal static void BeginReceive(SafeSocketHandle socket, int bytes)
    {
        Set(socket, Libc.SO_RCVBUF, Libc.SO_RCVBUF, bytes, "SO_RCVBUF");
        Release(socket);
    }

    /// <summary>The kernel sizes both queues again, from what they are now.</summary>
    internal static unsafe void Release(SafeSocketHandle socket)
    {
        int none = 0;
        if (Libc.setsockopt(socket, Libc.SOL_SOCKET, Libc.SO_BUF_LOCK, &none, sizeof(int)) < 0)
        {
            throw Libc.Error("SO_BUF_LOCK");
        }
    }

    /// <exception cref="LibcException">Anything but EPERM for the forced one.</exception>
    private static unsafe void Set(SafeSocketHandle socket, int forced, int bounded, int bytes, string what)
    {
        if (Libc.setsockopt(socket, Libc.SOL_SOCKET, forced, &bytes, sizeof(int)) >= 0)
        {
            return;
        }

        if (Libc.Errno != Libc.EPERM || Libc.setsockopt(socket, Libc.SOL_SOCKET, bounded, &bytes, sizeof(int)) < 0)
        {
            throw Libc.Error(what);
        }
    }
}
