using System.Net.Sockets;
using Aggregator.Interop;

namespace Aggregator.Mptcp;

/// <summary>
/// Which congestion control a connection gets. BBR holds its rate over lines that lose packets, but not on every path and not from every start:
/// over a round trip of less than a millisecond its model of the path breaks (measured: 0.01–2 Gbit/s on MPTCP where cubic runs 10–40), and a
/// connection that waited since its handshake would begin with the handshake's few bytes as its rate (the kernel takes them for all that the path
/// gives, tcp_rate.c). So connections are made and wait under cubic, and get BBR when a flow takes them and the path is long.
/// Where the host lacks one or forbids it (net.ipv4.tcp_allowed_congestion_control) the socket keeps what it has; the host's default is never touched.
/// </summary>
internal static class CongestionChoice
{
    private const string ForShortPaths = "cubic";

    private const string ForLongPaths = "bbr";

    /// <summary>No internet line has less; between hosts of one data centre or LAN it is less.</summary>
    private static readonly TimeSpan LongPath = TimeSpan.FromMilliseconds(1);

    /// <summary>
    /// On a short path nothing but the receiver's window holds a sender back, and MPTCP on a closed window loses time: updates go astray until a
    /// retransmission timer of 200 ms (6.18; MPTcpExtWinProbe and MPTCPRetrans count them). So less is under way than any receive buffer of ours takes.
    /// </summary>
    private const int ShortPathSendBufferBytes = 512 * 1024;

    /// <summary>Before connect or listen: accepted sockets and all subflows take it over.</summary>
    internal static void Wait(Socket socket) => TrySet(socket, ForShortPaths);

    /// <summary>A flow takes a connection that has waited.</summary>
    internal static void Carry(Socket socket)
    {
        if (RoundTrip(socket) >= LongPath)
        {
            TrySet(socket, ForLongPaths);
        }
        else
        {
            SetSendBuffer(socket);
        }
    }

    /// <summary>As <see cref="Carry"/>, for a connection that may have BBR already: begun anew it believes nothing that it saw.</summary>
    internal static void Renew(Socket socket)
    {
        Wait(socket);
        Carry(socket);
    }

    /// <summary>A new connection to a neighbour (a client of the LAN, a server beside the VPS), which has the host's default.</summary>
    internal static void Suit(Socket socket)
    {
        if (RoundTrip(socket) < LongPath)
        {
            TrySet(socket, ForShortPaths);
        }
    }

    /// <summary>The best seen; null as long as none was measured, or the connection is gone.</summary>
    private static TimeSpan? RoundTrip(Socket socket)
    {
        try
        {
            return TcpInfo.TryRead(socket, out TcpInfo info) == 0 && info.Rtt > TimeSpan.Zero ? info.MinRtt ?? info.Rtt : null;
        }
        catch (ObjectDisposedException)
        {
            return null;
        }
    }

    /// <summary>For those that size a long path's send buffer themselves; short ones keep theirs.</summary>
    internal static void SetLongPathBuffer(Socket socket, int bytes)
    {
        if (RoundTrip(socket) < LongPath)
        {
            return;
        }

        try
        {
            SocketBuffers.SetSend(socket.SafeHandle, bytes);
        }
        catch (Exception e) when (e is LibcException or ObjectDisposedException)
        {
            // As large as it was, or gone: whoever uses it next meets that.
        }
    }

    private static void SetSendBuffer(Socket socket)
    {
        try
        {
            socket.SendBufferSize = ShortPathSendBufferBytes;
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Gone: whoever uses it next meets that.
        }
    }

    private static void TrySet(Socket socket, string name)
    {
        try
        {
            SocketOptions.SetCongestionControl(socket, name);
        }
        catch (Exception e) when (e is LibcException or ObjectDisposedException)
        {
            // ENOENT or EPERM: the host's default it is. A connection that has gone is met by whoever uses it next.
        }
    }
}
