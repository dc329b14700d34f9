using System.Net;
using System.Net.Sockets;

namespace Aggregator.Gateway.Ingress;

/// <summary>Makes listening sockets, with errors in the user's words.</summary>
internal static class ListenSocket
{
    private const int SolSocket = 1;
    private const int SoReuseAddr = 2;
    private const int SolIp = 0;
    private const int IpTransparent = 19;
    private const int SolIpV6 = 41;
    private const int IpV6Transparent = 75;

    /// <param name="transparent">Takes connections to foreign addresses that a TPROXY rule hands over (IP_TRANSPARENT; needs CAP_NET_ADMIN).</param>
    internal static Socket? TryOpen(string name, IPEndPoint listen, int backlog, bool transparent, out string? error)
    {
        error = null;
        Socket? socket = null;
        try
        {
            socket = new Socket(listen.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            if (listen.AddressFamily == AddressFamily.InterNetworkV6)
            {
                socket.DualMode = listen.Address.Equals(IPAddress.IPv6Any) && !transparent;
            }
            // The raw option: .NET's ReuseAddress sets SO_REUSEPORT as well, and then a second daemon would share the port unnoticed.
            SetInt(socket, SolSocket, SoReuseAddr, 1);
            if (transparent)
            {
                bool v4 = listen.AddressFamily == AddressFamily.InterNetwork;
                SetInt(socket, v4 ? SolIp : SolIpV6, v4 ? IpTransparent : IpV6Transparent, 1);
            }
            socket.Bind(listen);
            socket.Listen(backlog);
            return socket;
        }
        catch (SocketException e)
        {
            socket?.Dispose();
            error = $"{name} cannot listen on {listen}: {Explain(e, transparent)}";
            return null;
        }
    }

    private static string Explain(SocketException e, bool transparent) => e.SocketErrorCode switch
    {
        SocketError.AddressAlreadyInUse => "the port is in use by another program; choose another one or stop that program",
        SocketError.AddressNotAvailable => "no interface of this host has this address",
        SocketError.AccessDenied when transparent => "it needs CAP_NET_ADMIN; run it as root or give it this capability",
        SocketError.AccessDenied => "ports below 1024 need CAP_NET_BIND_SERVICE; choose a higher one or give it this capability",
        SocketError.AddressFamilyNotSupported => "this host has no IPv6",
        _ => e.Message,
    };

    private static void SetInt(Socket socket, int level, int name, int value) =>
        socket.SetRawSocketOption(level, name, BitConverter.GetBytes(value));
}
