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
    internal static Socket Create(AddressFamily family)
    {
        int domain = family switch
        {
            AddressFamily.InterNetwork => Libc.AF_INET,
            AddressFamily.InterNetworkV6 => Libc.AF_INET6,
            _ => throw new ArgumentOutOfRangeException(nameof(family), family, "IPv4 or IPv6"),
        };
        int descriptor = Libc.socket(domain, Libc.SOCK_STREAM | Libc.SOCK_CLOEXEC, Libc.IPPROTO_MPTCP);
        return descriptor >= 0
            ? new Socket(new SafeSocketHandle(descriptor, ownsHandle: true))
            : throw Libc.Error("socket(IPPROTO_MPTCP)");
    }
}
