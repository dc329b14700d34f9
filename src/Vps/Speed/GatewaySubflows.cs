using System.Net;
using System.Net.Sockets;
using Aggregator.Mptcp;
using Aggregator.Protocol.V1;
using Aggregator.Vps.Sessions;

namespace Aggregator.Vps.Speed;

/// <summary>All subflows of a gateway's connections as the kernel sees them now, from the VPS's side.</summary>
internal static class GatewaySubflows
{
    /// <summary>Connections looked at: a system call each, ten times a second.</summary>
    private const int MaxConnections = 64;

    /// <summary>The kernel's limit is 8 beside the first up to Linux 6.18.</summary>
    private const int MaxSubflows = 9;

    internal static IEnumerable<SpeedSubflowSample> Read(LiveGateway gateway)
    {
        var subflows = new MptcpSubflow[MaxSubflows];
        foreach (var connection in gateway.Connections.Take(MaxConnections))
        {
            if (connection.Socket is not { } socket)
            {
                continue;
            }

            int count = 0;
            SpeedSubflowSample? plain = null;
            try
            {
                if (MptcpSampler.TryRead(socket, subflows, out var sample) == 0)
                {
                    count = sample.Count;
                }
                else if (TcpInfo.TryRead(socket, out var tcp) == 0 && socket is { LocalEndPoint: IPEndPoint local, RemoteEndPoint: IPEndPoint remote })
                {
                    // It went on as plain TCP.
                    plain = Of(SubflowAddress.From(local), SubflowAddress.From(remote), tcp);
                }
            }
            catch (Exception e) when (e is ObjectDisposedException or SocketException)
            {
                continue;
            }

            if (plain is not null)
            {
                yield return plain;
            }

            for (int i = 0; i < count; i++)
            {
                var tcp = subflows[i].Tcp;
                if (tcp.State == TcpState.Established)
                {
                    yield return Of(subflows[i].Local, subflows[i].Remote, tcp);
                }
            }
        }
    }

    private static SpeedSubflowSample Of(in SubflowAddress local, in SubflowAddress remote, in TcpInfo tcp) => new()
    {
        Local = local.ToString(),
        Remote = remote.ToString(),
        SentBytes = tcp.BytesSent,
        AcknowledgedBytes = tcp.BytesAcknowledged,
        ReceivedBytes = tcp.BytesReceived,
        Retransmits = tcp.Retransmits,
        Cwnd = tcp.CongestionWindowSegments,
        RttMs = tcp.Rtt.TotalMilliseconds,
        BusyUs = (ulong)tcp.Busy.TotalMicroseconds,
        ReceiverLimitedUs = (ulong)tcp.LimitedByReceiver.TotalMicroseconds,
        BufferLimitedUs = (ulong)tcp.LimitedBySendBuffer.TotalMicroseconds,
    };
}
