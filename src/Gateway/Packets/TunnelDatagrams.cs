using System.Net;
using System.Net.Sockets;
using Aggregator.Gateway.Ingress;
using Aggregator.Gateway.Links;
using Aggregator.Mptcp;

namespace Aggregator.Gateway.Packets;

/// <summary>
/// SOCKS5 clients' datagrams on the packet path: sockets of this host that are tied to the tunnel's interface, with its address. What they send is an IP packet
/// like the LAN's, under the same rules at the VPS; errors, fragments and path MTU are the kernel's.
/// </summary>
/// <param name="packets">Null: there is no tunnel.</param>
/// <param name="isDirect">Nothing is carried at this moment, by the configuration.</param>
internal sealed class TunnelDatagrams(PacketIngress? packets, Func<bool> isDirect, Func<string, CancellationToken, Task<IPAddress?>> find, TimeProvider time) : IDatagramWay
{
    /// <summary>For the VPS's first answer: a client that is told no asks again, or gives up UDP.</summary>
    private static readonly TimeSpan AnswerTime = TimeSpan.FromSeconds(8);

    public async ValueTask<DatagramWayState> PrepareAsync(CancellationToken cancellationToken)
    {
        if (packets is not null && !isDirect())
        {
            using var limit = new CancellationTokenSource(AnswerTime, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
            try
            {
                await packets.PrepareAsync(either.Token);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                // The state tells.
            }
        }

        return State;
    }

    private DatagramWayState State => packets switch
    {
        null => DatagramWayState.Unavailable,
        _ when isDirect() => DatagramWayState.Away,
        { Way: PacketIngress.PacketWay.On } => DatagramWayState.Ready,
        { Way: PacketIngress.PacketWay.Refused } => DatagramWayState.Unavailable,
        _ => DatagramWayState.Away,
    };

    Socket IDatagramWay.Open(AddressFamily family) => Open(family);

    /// <summary>A socket of this host on the packet path. Throws <see cref="SocketException"/> where there is none.</summary>
    internal static Socket Open(AddressFamily family)
    {
        var socket = new Socket(family, SocketType.Dgram, ProtocolType.Udp);
        try
        {
            SocketOptions.BindToDevice(socket, HostNumbers.TunnelDevice);
            socket.Bind(new IPEndPoint(family == AddressFamily.InterNetwork ? HostNumbers.TunnelV4 : HostNumbers.TunnelV6, 0));
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    public Task<IPAddress?> FindAsync(string name, CancellationToken cancellationToken) => find(name, cancellationToken);
}
