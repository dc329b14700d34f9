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

    /// <summary>
    /// What each client begins with (the kernel doubles it to its own 128 KB). Left to tcp_rmem it is the 4 MB that connections to the VPS need from the start
    /// (BufferSizes), and whoever nobody reads from fills them: 300 such held 570 MB.
    /// </summary>
    internal const int FirstReceiveBytes = 64 * 1024;

    /// <summary>
    /// What a client may have here that the carrier has not taken yet (the kernel doubles the number and uses the half for its own books): a gigabit over
    /// a Wi-Fi of 16 ms. The kernel by itself would grow it to tens of megabytes beside a slower carrier, and an upload would be told done seconds before it is.
    /// </summary>
    private const int MostReceiveBytes = 2 << 20;

    /// <summary>Of many at a time each gets less: 300 uploads that nobody took held 1.2 GB of the kernel's, and the lanes' own windows shrank to nothing for it.</summary>
    private const long AllReceiveBytes = 32 << 20;

    /// <summary>A gigabit in a wired LAN (1 ms).</summary>
    private const int LeastReceiveBytes = 128 * 1024;

    /// <param name="connections">Clients' connections now.</param>
    internal static int ReceiveBufferBytes(long connections) =>
        (int)Math.Clamp(AllReceiveBytes / Math.Max(1, connections), LeastReceiveBytes, MostReceiveBytes);

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
