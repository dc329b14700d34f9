using System.Net;
using System.Net.Sockets;
using Aggregator.Interop;

namespace Aggregator.Mptcp;

/// <summary>What MPTCP and TCP sockets have in common.</summary>
internal static class StreamSockets
{
    /// <summary>The descriptor is made here and wrapped: .NET refuses protocol 262, and makes IPv6 sockets IPv6-only.</summary>
    internal static Socket Create(AddressFamily family, int protocol, string operation)
    {
        int domain = family switch
        {
            AddressFamily.InterNetwork => Libc.AF_INET,
            AddressFamily.InterNetworkV6 => Libc.AF_INET6,
            _ => throw new ArgumentOutOfRangeException(nameof(family), family, "IPv4 or IPv6"),
        };
        int descriptor = Libc.socket(domain, Libc.SOCK_STREAM | Libc.SOCK_CLOEXEC, protocol);
        return descriptor >= 0
            ? new Socket(new SafeSocketHandle(descriptor, ownsHandle: true))
            : throw Libc.Error(operation);
    }

    /// <summary>
    /// Binds and listens. [::] serves IPv4 as well. <paramref name="configure"/> may set options in between (IP_TRANSPARENT, a device).
    /// </summary>
    internal static Socket Listen(Socket socket, IPEndPoint endPoint, int backlog, Action<Socket>? configure)
    {
        try
        {
            SocketOptions.SetReuseAddress(socket);
            if (endPoint.AddressFamily == AddressFamily.InterNetworkV6)
            {
                SocketOptions.SetIPv6Only(socket, only: !endPoint.Address.Equals(IPAddress.IPv6Any));
            }

            configure?.Invoke(socket);
            socket.Bind(endPoint);
            socket.Listen(backlog);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
