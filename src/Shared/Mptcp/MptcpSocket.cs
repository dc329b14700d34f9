using System.Net;
using System.Net.Sockets;
using Aggregator.Interop;

namespace Aggregator.Mptcp;

/// <summary>
/// MPTCPv1 sockets (RFC 8684) as <see cref="Socket"/>. .NET refuses protocol 262 itself, so the descriptor is made here and wrapped.
/// After a refused connect make a new one: a second ConnectAsync on a wrapped MPTCP socket hangs.
/// </summary>
internal static class MptcpSocket
{
    /// <exception cref="LibcException">EPROTONOSUPPORT or ENOPROTOOPT: the kernel has no MPTCP, or net.mptcp.enabled is 0.</exception>
    internal static Socket Create(AddressFamily family) => StreamSockets.Create(family, Libc.IPPROTO_MPTCP, "socket(IPPROTO_MPTCP)");

    /// <summary>
    /// A listener that takes MPTCP and plain TCP; the accepted socket's kind tells which (<see cref="MptcpCheck.VerdictOf"/>).
    /// Bind the wildcard address, or the kernel refuses joins to this host's other addresses. No TCP_DEFER_ACCEPT on it.
    /// </summary>
    /// <exception cref="LibcException">As <see cref="Create"/>.</exception>
    /// <exception cref="SocketException">AddressAlreadyInUse, AddressNotAvailable, AccessDenied, from bind or listen.</exception>
    internal static Socket Listen(IPEndPoint endPoint, int backlog, Action<Socket>? configure = null)
        => StreamSockets.Listen(Create(endPoint.AddressFamily), endPoint, backlog, configure);
}
