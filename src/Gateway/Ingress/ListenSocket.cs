using System.Net;
using System.Net.Sockets;
using Aggregator.Interop;
using Aggregator.Mptcp;

namespace Aggregator.Gateway.Ingress;

/// <summary>Makes listening sockets, with errors in the user's words.</summary>
internal static class ListenSocket
{
    /// <param name="transparent">Takes connections to foreign addresses that a TPROXY rule hands over (IP_TRANSPARENT; needs CAP_NET_ADMIN).</param>
    internal static Socket? TryOpen(string name, IPEndPoint listen, int backlog, bool transparent, out string? error)
    {
        error = null;
        try
        {
            return TcpSocket.Listen(listen, backlog, socket =>
            {
                // A LAN's bridge or Wi-Fi may get its address after us; `status` warns while it has none.
                SocketOptions.SetFreeBind(socket);
                SocketBuffers.BeginReceive(socket.SafeHandle, ClientSocket.FirstReceiveBytes);
                if (transparent)
                {
                    SocketOptions.SetTransparent(socket, listen.AddressFamily);
                    if (listen.AddressFamily == AddressFamily.InterNetworkV6)
                    {
                        // One listener a family, so that a rule for IPv4 never meets one for IPv6.
                        SocketOptions.SetIPv6Only(socket, only: true);
                    }
                }
            });
        }
        catch (LibcException e)
        {
            error = $"{name} cannot listen on {listen}: {Explain(e)}";
        }
        catch (SocketException e)
        {
            error = $"{name} cannot listen on {listen}: {Explain(e)}";
        }
        return null;
    }

    private static string Explain(LibcException e) => e.Errno switch
    {
        Libc.EPERM or Libc.EACCES => "it needs CAP_NET_ADMIN; run it as root or give it this capability",
        Libc.EAFNOSUPPORT => "this host has no IPv6",
        _ => e.Message,
    };

    private static string Explain(SocketException e) => e.SocketErrorCode switch
    {
        SocketError.AddressAlreadyInUse => "the port is in use by another program; choose another one or stop that program",
        SocketError.AddressNotAvailable => "no interface of this host has this address",
        SocketError.AccessDenied => "ports below 1024 need CAP_NET_BIND_SERVICE; choose a higher one or give it this capability",
        _ => e.Message,
    };
}
