using System.Net;
using System.Net.Sockets;
using Aggregator.Interop;

namespace Aggregator.Mptcp;

/// <summary>The plain-TCP twin of <see cref="MptcpSocket"/>, for kernels and peers without MPTCP; same helpers, same errors.</summary>
internal static class TcpSocket
{
    private const int IPPROTO_TCP = 6;

    internal static Socket Create(AddressFamily family) => StreamSockets.Create(family, IPPROTO_TCP, "socket(IPPROTO_TCP)");

    internal static Socket Listen(IPEndPoint endPoint, int backlog, Action<Socket>? configure = null)
        => StreamSockets.Listen(Create(endPoint.AddressFamily), endPoint, backlog, configure);
}
