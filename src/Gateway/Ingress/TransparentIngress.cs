using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using Aggregator.Flows;
using Aggregator.Relay;

namespace Aggregator.Gateway.Ingress;

/// <summary>
/// Takes TCP connections of LAN clients that nftables' TPROXY hands over: the local end of such a connection is the address that the client meant.
/// One instance an address family. Best bound to a loopback address: then only TPROXY (`tproxy to 127.0.0.1:PORT`, `[::1]:PORT`) reaches it.
/// </summary>
internal sealed class TransparentIngress(IPEndPoint listen, IngressContext context)
    : TcpIngress("transparent", listen, transparent: true, context)
{
    protected override async Task ServeAsync(Socket socket, CancellationToken stopping)
    {
        await using var client = new SocketByteStream(socket, ReceiveBufferBytes);
        if (ClientSocket.TryPrepare(socket) is not { } remote || OriginalDestination.TryRead(socket) is not { } meant)
        {
            return;
        }
        if (IsLoop(meant))
        {
            Context.Logger.LoopRefused(Name, remote);
            client.Abort();
            return;
        }
        var target = new FlowTarget(meant.Address, (ushort)meant.Port);
        // What the client has sent by now travels with the open; nothing is waited for, since the server may speak first.
        using var ahead = new HandshakeBuffer(Context.Limits.MaxFirstBytes);
        try
        {
            if (socket.Available > 0)
            {
                await ahead.FillAsync(client, stopping);
            }
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException)
        {
            Context.Logger.ClientGone(Name, remote, e.Message);
            client.Abort();
            return;
        }
        await FlowRun.RunConnectedAsync(Context, Name, client, remote, target, ahead);
    }

    /// <summary>
    /// Whether a client connected to the listener as such. Its local end is then the listener's own port on an address of this host;
    /// a foreign server may have the same port number, so the address decides.
    /// </summary>
    private bool IsLoop(IPEndPoint meant) =>
        meant.Port == LocalEndPoint!.Port && (IPAddress.IsLoopback(meant.Address) || IsOwnAddress(meant.Address));

    private static bool IsOwnAddress(IPAddress address) =>
        NetworkInterface.GetAllNetworkInterfaces()
            .SelectMany(i => i.GetIPProperties().UnicastAddresses)
            .Any(a => a.Address.GetAddressBytes().AsSpan().SequenceEqual(address.GetAddressBytes()));
}
