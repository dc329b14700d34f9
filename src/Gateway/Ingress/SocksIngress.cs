using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Aggregator.Flows;
using Aggregator.Gateway.Carriers;
using Aggregator.Gateway.Configuration;
using Aggregator.Relay;

namespace Aggregator.Gateway.Ingress;

/// <summary>SOCKS5 with CONNECT and UDP ASSOCIATE (RFC 1928), and user name and password (RFC 1929) when users are configured.</summary>
internal sealed class SocksIngress(IPEndPoint listen, ImmutableArray<ProxyUser> users, IngressContext context)
    : TcpIngress("socks", listen, transparent: false, context)
{
    private readonly SocksUsers _users = new(users);

    protected override async Task ServeAsync(Socket socket, CancellationToken stopping)
    {
        await using var client = new SocketByteStream(socket, ReceiveBufferBytes);
        if (ClientSocket.TryPrepare(socket) is not { } remote)
        {
            return;
        }
        using var buffer = new HandshakeBuffer(Context.Limits.MaxSocksBytes);
        if (await ShakeHandsAsync(client, remote, buffer, stopping) is not var (command, target))
        {
            return;
        }
        if (command == SocksCommand.UdpAssociate)
        {
            buffer.Dispose();
            await AssociateAsync(client, (IPEndPoint)remote, ((IPEndPoint)socket.LocalEndPoint!).Address, target);
        }
        else
        {
            await FlowRun.RunAnsweredAsync(Context, Name, client, remote, target, buffer, reply => AnswerAsync(client, reply));
        }
    }

    /// <summary>Null: there is no request, and all that was to be said about it is said. By itself, so that a flow holds nothing of it.</summary>
    private async ValueTask<(SocksCommand Command, FlowTarget Target)?> ShakeHandsAsync(SocketByteStream client, EndPoint remote, HandshakeBuffer buffer, CancellationToken stopping)
    {
        var handshake = new SocksHandshake(client, buffer, _users);
        using var deadline = new CancellationTokenSource(Context.Limits.HandshakeTimeout, Context.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, stopping);
        try
        {
            if (await handshake.RunAsync(either.Token))
            {
                return (handshake.Command, handshake.Target);
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            Context.Logger.BadRequest(Name, remote, e is IOException ? e.Message : "its request took too long");
            return null;
        }
        Report(handshake, remote);
        await OrderlyClose.EndAsync(client, Context.Time, stopping);
        return null;
    }

    private static ValueTask AnswerAsync(SocketByteStream client, OpenReply reply) => AnswerAsync(client, Socks5.ReplyFor(reply.Result), reply.Bound);

    private static async ValueTask AnswerAsync(SocketByteStream client, SocksReply reply, IPEndPoint? bound)
    {
        byte[] message = new byte[Socks5.MaxReplyBytes];
        int length = Socks5.WriteReply(message, reply, bound);
        await client.WriteAsync(message.AsMemory(0, length), CancellationToken.None);
    }

    private async Task AssociateAsync(SocketByteStream client, IPEndPoint remote, IPAddress local, FlowTarget announced)
    {
        DatagramWayState state;
        try
        {
            state = Context.Datagrams is { } datagrams ? await datagrams.PrepareAsync(Context.Flows.Ending) : DatagramWayState.Unavailable;
        }
        catch (OperationCanceledException)
        {
            // The gateway ends.
            return;
        }

        SocksReply reply = state switch
        {
            DatagramWayState.Ready => Context.Associations.TryEnter(remote.Address) ? SocksReply.Succeeded : SocksReply.GeneralFailure,
            DatagramWayState.Away => SocksReply.NetworkUnreachable,
            _ => SocksReply.CommandNotSupported,
        };
        try
        {
            if (reply == SocksReply.Succeeded)
            {
                await ServeAssociationAsync(client, remote, local, announced, Context.Datagrams!);
                return;
            }
            Context.Logger.NotOpened(Name, "UDP", remote, reply.ToString());
            await AnswerAsync(client, reply, null);
            await OrderlyClose.EndAsync(client, Context.Time, Context.Flows.Ending);
        }
        catch (IOException e)
        {
            Context.Logger.ClientGone(Name, remote, e.Message);
        }
        finally
        {
            if (reply == SocksReply.Succeeded)
            {
                Context.Associations.Leave(remote.Address);
            }
        }
    }

    private async Task ServeAssociationAsync(SocketByteStream client, IPEndPoint remote, IPAddress local, FlowTarget announced, IDatagramWay way)
    {
        using FlowRegistry.Flow flow = Context.Flows.Begin(Name);
        try
        {
            using var association = new SocksAssociation(
                remote, local, announced, way, Context.Associations.Limits, Context.Flows, Context.Time, flow.Ending);
            flow.Answered(OpenResult.Opened);
            await AnswerAsync(client, SocksReply.Succeeded, association.LocalEndPoint);
            await association.RunAsync(client);
        }
        catch (SocketException e)
        {
            // No descriptor, no port.
            flow.Answered(OpenResult.Busy);
            Context.Logger.NotOpened(Name, "UDP", remote, e.Message);
            await AnswerAsync(client, SocksReply.GeneralFailure, null);
        }
    }

    private void Report(SocksHandshake handshake, EndPoint remote)
    {
        if (handshake.WrongCredentials)
        {
            Context.Logger.WrongCredentials(Name, remote);
        }
        else
        {
            Context.Logger.BadRequest(Name, remote, handshake.Problem!);
        }
    }
}
