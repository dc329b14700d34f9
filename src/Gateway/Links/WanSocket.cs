using System.Net;
using System.Net.Sockets;
using System.Text;
using Aggregator.Interop;

namespace Aggregator.Gateway.Links;

/// <summary>Ties a socket to a WAN: its device decides the way out, its address the source.</summary>
internal static class WanSocket
{
    /// <exception cref="SocketException">The device or the address is gone.</exception>
    internal static void Bind(Socket socket, string device, IPAddress source)
    {
        // With its terminating zero (IFNAMSIZ bytes at most).
        Span<byte> name = stackalloc byte[16];
        name = name[..(Encoding.ASCII.GetBytes(device, name) + 1)];
        name[^1] = 0;
        socket.SetRawSocketOption(Libc.SOL_SOCKET, Libc.SO_BINDTODEVICE, name);
        socket.Bind(new IPEndPoint(source, 0));
    }
}
