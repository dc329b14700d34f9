using System.Net;
using System.Net.Sockets;
using Aggregator.Flows;
using Aggregator.Relay;

namespace Aggregator.Gateway.Ingress;

/// <summary>An HTTP proxy for CONNECT (RFC 9110 section 9.3.6).</summary>
internal sealed class HttpIngress(IPEndPoint listen, IngressContext context) : IIngress
{
    private AcceptLoop? _loop;

    public string Name => "http";

    public IPEndPoint? LocalEndPoint { get; private set; }

    public ValueTask<StartResult> StartAsync(CancellationToken cancellationToken)
    {
        Socket? socket = ListenSocket.TryOpen(Name, listen, context.Limits.Backlog, transparent: false, out string? error);
        if (socket is not null)
        {
            LocalEndPoint = (IPEndPoint)socket.LocalEndPoint!;
            context.Logger.Listening(Name, LocalEndPoint);
            _loop = new AcceptLoop(Name, socket, ServeAsync, context);
        }
        return new(new StartResult(error));
    }

    public ValueTask DisposeAsync() => _loop?.DisposeAsync() ?? ValueTask.CompletedTask;

    private async Task ServeAsync(Socket socket, CancellationToken stopping)
    {
        await using var client = new SocketByteStream(socket);
        if (ClientSocket.TryPrepare(socket) is not { } remote)
        {
            return;
        }
        using var buffer = new HandshakeBuffer(context.Limits.MaxHttpHeadBytes);
        if (await ShakeHandsAsync(client, remote, buffer, stopping) is { } target)
        {
            await FlowRun.RunAnsweredAsync(
                context, Name, client, remote, target, buffer,
                reply => client.WriteAsync(HttpAnswer.For(reply.Result).Bytes, CancellationToken.None));
        }
    }

    /// <summary>Null: there is no request, and all that was to be said about it is said. By itself, so that a flow holds nothing of it.</summary>
    private async ValueTask<FlowTarget?> ShakeHandsAsync(SocketByteStream client, EndPoint remote, HandshakeBuffer buffer, CancellationToken stopping)
    {
        var handshake = new HttpHandshake(client, buffer);
        using var deadline = new CancellationTokenSource(context.Limits.HandshakeTimeout, context.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, stopping);
        try
        {
            if (await handshake.RunAsync(either.Token))
            {
                return handshake.Target;
            }
            await RefuseAsync(client, remote, handshake.Answer, handshake.IsHead, stopping);
        }
        catch (IOException e)
        {
            context.Logger.ClientGone(Name, remote, e.Message);
        }
        catch (OperationCanceledException)
        {
            // A client that never said a word (a connection kept in reserve) is not told off.
            HttpAnswer? answer = buffer.Unread.IsEmpty || stopping.IsCancellationRequested ? null : HttpAnswer.Timeout;
            await RefuseAsync(client, remote, answer, headOnly: false, stopping);
        }
        return null;
    }

    private async ValueTask RefuseAsync(SocketByteStream client, EndPoint remote, HttpAnswer? answer, bool headOnly, CancellationToken stopping)
    {
        if (answer is null)
        {
            return;
        }
        try
        {
            await client.WriteAsync(headOnly ? answer.HeadOnly : answer.Bytes, stopping);
            context.Logger.BadRequest(Name, remote, "not a CONNECT request in good order");
            await OrderlyClose.EndAsync(client, context.Time, stopping);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            context.Logger.ClientGone(Name, remote, e.Message);
        }
    }
}
