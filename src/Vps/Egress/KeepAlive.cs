using System.Net.Sockets;
using Aggregator.Mptcp;

namespace Aggregator.Vps.Egress;

/// <summary>TCP keep-alive for connections on both sides of the VPS.</summary>
internal static class KeepAlive
{
    // A dead peer is noticed 30 + 6 × 10 = 90 s after its last sign; one that is silent for less than 80 s survives.
    private const int Probes = 6;
    private static readonly TimeSpan Idle = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    internal static void Set(Socket socket) => SocketOptions.SetKeepAlive(socket, Idle, Interval, Probes);
}
