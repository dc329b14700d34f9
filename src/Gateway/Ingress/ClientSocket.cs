using System.Net;
using System.Net.Sockets;
using Aggregator.Interop;
using Aggregator.Mptcp;

namespace Aggregator.Gateway.Ingress;

/// <summary>Settings of every client's socket.</summary>
internal static class ClientSocket
{
    /// <summary>A LAN client that vanished (power, cable) is noticed after 60 + 6 × 10 s of silence; a live one costs a packet a minute.</summary>
    private static readonly TimeSpan KeepAliveIdle = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan KeepAliveInterval = TimeSpan.FromSeconds(10);

    private const int KeepAliveProbes = 6;

    /// <summary>Sets them and names the client. Null when it is gone already.</summary>
    internal static EndPoint? TryPrepare(Socket socket)
    {
        try
        {
            CongestionChoice.Suit(socket);
            SocketOptions.SetNoDelay(socket);
            SocketOptions.SetKeepAlive(socket, KeepAliveIdle, KeepAliveInterval, KeepAliveProbes);
            return socket.RemoteEndPoint;
        }
        catch (Exception e) when (e is SocketException or LibcException)
        {
            return null;
        }
    }
}
