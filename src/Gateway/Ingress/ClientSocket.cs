using System.Net;
using System.Net.Sockets;

namespace Aggregator.Gateway.Ingress;

/// <summary>Settings of every client's socket.</summary>
internal static class ClientSocket
{
    /// <summary>A LAN client that vanished (power, cable) is noticed after 60 + 6 × 10 s of silence; a live one costs a packet a minute.</summary>
    private const int KeepAliveIdleSeconds = 60;

    private const int KeepAliveIntervalSeconds = 10;
    private const int KeepAliveProbes = 6;

    /// <summary>Sets them and names the client. Null when it is gone already.</summary>
    internal static EndPoint? TryPrepare(Socket socket)
    {
        try
        {
            socket.NoDelay = true;
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, KeepAliveIdleSeconds);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, KeepAliveIntervalSeconds);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, KeepAliveProbes);
            return socket.RemoteEndPoint;
        }
        catch (SocketException)
        {
            return null;
        }
    }
}
