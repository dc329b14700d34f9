using System.Net.Security;
using System.Net.Sockets;
using Aggregator.Flows;
using Aggregator.Identity;
using Aggregator.Relay;

namespace Aggregator.Gateway.Carriers;

/// <summary>Makes the pool's connections: connected, authenticated and greeted.</summary>
internal interface ILaneDialer
{
    /// <exception cref="DialException">None could be made.</exception>
    Task<ReadyConnection> DialAsync(CancellationToken cancellationToken);

    /// <summary>Whether a connection leads to the VPS that is paired now, and is what would be dialled now.</summary>
    bool IsCurrent(ReadyConnection connection);
}

/// <summary>
/// Data connections by proto/flow.md: over TLS 1.3 with both keys pinned, or without cipher behind an authenticated preface where configuration and VPS agree to that.
/// </summary>
/// <param name="target">The VPS at this moment; null when there is none.</param>
/// <param name="encrypt">The configuration's wish; where the VPS allows no connections without cipher, TLS is used all the same.</param>
internal sealed class LaneDialer(
    VpsConnector connector, Func<VpsTarget?> target, IdentityKey identity, INodeState node, bool encrypt, TimeProvider time) : ILaneDialer
{
    private Prepared? _prepared;

    /// <remarks>At the start connections are made before the VPS has said that it takes some without cipher: those are not what was asked for.</remarks>
    public bool IsCurrent(ReadyConnection connection) => target() is { } vps && vps.Pin == connection.Vps
        && (encrypt || node.Plain is null || connection.Stream is not TlsByteStream);

    public Task<ReadyConnection> DialAsync(CancellationToken cancellationToken)
    {
        if (target() is not { } vps)
        {
            throw new DialException("no VPS is paired", OpenResult.NoCarrier);
        }
        Prepared prepared = _prepared is { } known && known.Target == vps
            ? known
            : _prepared = new Prepared(vps, PinnedTls.ClientOptions(identity, vps.Pin, PinnedTls.Lane));
        PlainSession? plain = encrypt ? null : node.Plain;
        return connector.ConnectAsync(
            vps,
            async (socket, path, token) =>
            {
                IByteStream stream = plain is null
                    ? await TlsByteStream.ConnectAsync(socket, prepared.Tls, token)
                    : await PrefaceAsync(socket, plain, token);
                return await GreetAsync(stream, socket, path, vps.Pin, token);
            },
            cancellationToken);
    }

    private static async Task<IByteStream> PrefaceAsync(Socket socket, PlainSession session, CancellationToken cancellationToken)
    {
        var stream = new SocketByteStream(socket);
        byte[] preface = new byte[PlainPreface.Bytes];
        PlainPreface.Write(preface, session.SessionId.Span, session.NextCounter(), session.Key.Span);
        await stream.WriteAsync(preface, cancellationToken);
        return stream;
    }

    private async Task<ReadyConnection> GreetAsync(
        IByteStream stream, Socket socket, WanPath path, KeyPin vps, CancellationToken cancellationToken)
    {
        try
        {
            if (await FlowClient.ReadGreetingAsync(stream, cancellationToken) == GreetingStatus.Busy)
            {
                throw new DialException("the VPS has too many connections of this gateway waiting", OpenResult.Busy);
            }
            return new ReadyConnection(stream, socket, path, vps, time.GetTimestamp());
        }
        catch
        {
            stream.Abort();
            await stream.DisposeAsync();
            throw;
        }
    }

    /// <summary>The options are kept: TLS sessions are resumed through them.</summary>
    private sealed record Prepared(VpsTarget Target, SslClientAuthenticationOptions Tls);
}
