using System.Net;
using System.Net.Sockets;
using Aggregator.Flows;
using Aggregator.Relay;

namespace Aggregator.Gateway.Ingress;

/// <summary>An HTTP proxy for CONNECT (RFC 9110 section 9.3.6).</summary>
internal sealed class HttpIngress(IPEndPoint listen, IngressContext context)
    : TcpIngress("http", listen, transparent: false, context)
{
    protected override async Task ServeAsync(Socket socket, CancellationToken stopping)
    {
        await using var client = new SocketByteStream(socket, ReceiveBufferBytes);
        if (ClientSocket.TryPrepare(socket) is not { } remote)
        {
            return;
        }
        using var buffer = new HandshakeBuffer(Context.Limits.MaxHttpHeadBytes);
        if (await ShakeHandsAsync(client, remote, buffer, stopping) is { } target)
        {
            await FlowRun.RunAnsweredAsync(
                Context, Name, client, remote, target, buffer,
                reply => client.WriteAsync(HttpAnswer.For(reply.Result).Bytes, CancellationToken.None));
        }
    }

    /// <summary>Null: there is no request, and all that was to be said about it is said. By itself, so that a flow holds nothing of it.</summary>
    private async ValueTask<FlowTarget?> ShakeHandsAsync(SocketByteStream client, EndPoint remote, HandshakeBuffer buffer, CancellationToken stopping)
    {
        var handshake = new HttpHandshake(client, buffer);
        using var deadline = new CancellationTokenSource(Context.Limits.HandshakeTimeout, Context.Time);
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
            Context.Logger.ClientGone(Name, remote, e.Message);
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
            Context.Logger.BadRequest(Name, remote, "not a CONNECT request in good order");
            await OrderlyClose.EndAsync(client, Context.Time, stopping);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            Context.Logger.ClientGone(Name, remote, e.Message);
        }
    }
}
