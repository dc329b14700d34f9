using System.Net.Security;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Aggregator.Flows;
using Aggregator.Gateway.Carriers;
using Aggregator.Gateway.Configuration;
using Aggregator.Identity;
using Aggregator.Relay;
using Aggregator.Trunk;

namespace Aggregator.Gateway.Lanes;

/// <summary>
/// Makes lanes: an MPTCP connection bound to the lane's WAN, TLS 1.3 with both keys pinned (or the authenticated preface where configuration and
/// VPS agree to go without cipher), the hello, and then it is part of the session.
/// </summary>
internal sealed class TrunkLaneDialer(
    VpsConnector connector, TrunkSessions sessions, Func<VpsTarget?> target, IdentityKey identity, INodeState node, bool encrypt,
    TimeProvider time)
{
    private volatile Prepared? _prepared;

    /// <summary>The VPS to which lanes lead now; null: none is paired.</summary>
    internal VpsTarget? Target => target();

    /// <summary>Whether a lane is what would be dialled now.</summary>
    internal bool IsCurrent(LiveLane lane) => target() is { } vps && vps == lane.Target && (encrypt || node.Plain is null || !lane.IsEncrypted);

    /// <exception cref="DialException">It did not come about; the message says why.</exception>
    internal async Task<LiveLane> DialAsync(Func<Wan?> wan, CancellationToken cancellationToken)
    {
        if (target() is not { } vps || wan() is not { } link)
        {
            throw new DialException("there is nothing to dial", OpenResult.NoCarrier);
        }

        Prepared prepared = _prepared is { } known && known.Target == vps
            ? known
            : _prepared = new Prepared(vps, PinnedTls.ClientOptions(identity, vps.Pin, PinnedTls.TrunkLane));
        PlainSession? plain = encrypt ? null : node.Plain;
        LaneRole role = RoleOf(link);
        try
        {
            return await connector.Over(new SingleWanSelector(wan)).ConnectAsync(
                vps,
                async (socket, path, token) =>
                {
                    IByteStream stream = plain is null
                        ? await TlsByteStream.ConnectAsync(socket, prepared.Tls, token)
                        : await PrefaceAsync(socket, plain, token);
                    try
                    {
                        return await JoinAsync(stream, socket, path, vps, link.Name, role, plain is null, token);
                    }
                    catch
                    {
                        stream.Abort();
                        await stream.DisposeAsync();
                        throw;
                    }
                },
                cancellationToken);
        }
        catch (DialException e) when (e.InnerException is SocketException { SocketErrorCode: SocketError.ConnectionRefused })
        {
            sessions.Refused();
            throw;
        }
    }

    internal static LaneRole RoleOf(Wan wan) => wan.Role == LinkRole.Backup ? LaneRole.Backup : LaneRole.Normal;

    private static async Task<IByteStream> PrefaceAsync(Socket socket, PlainSession session, CancellationToken cancellationToken)
    {
        var stream = new SocketByteStream(socket);
        byte[] preface = new byte[PlainPreface.Bytes];
        PlainPreface.Write(preface, session.SessionId.Span, session.NextCounter(), session.Key.Span, PlainConnectionKind.TrunkLane);
        await stream.WriteAsync(preface, cancellationToken);
        return stream;
    }

    private async Task<LiveLane> JoinAsync(
        IByteStream stream, Socket socket, WanPath path, VpsTarget vps, string link, LaneRole role, bool encrypted, CancellationToken cancellationToken)
    {
        SessionTicket ticket = sessions.For(vps);
        var offer = new LaneOffer(
            ticket.Session.Id, ticket.NextLane(), BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong))), ticket.IsKnown, role, link);
        LaneAnswer answer = await LaneHandshake.OfferAsync(stream, offer, cancellationToken);
        switch (answer.Status)
        {
            case LaneAnswerStatus.Accepted when ticket.TryAccept(answer.Instance):
                var look = new SocketLaneMeter(socket);
                look.TryRead(out _);

                // A session that has ended meanwhile closes the connection at once.
                EndPoint? local = socket.LocalEndPoint, remote = socket.RemoteEndPoint;
                TrunkLane lane = ticket.Session.AddLane(new LaneTransport(
                    offer.LaneId, link, role, stream, new SocketLaneMeter(socket), new LaneCongestion(socket, time, offer.LaneId)));
                return new LiveLane(lane, look, socket, path, vps, encrypted) { Local = local as IPEndPoint, Remote = remote as IPEndPoint };
            case LaneAnswerStatus.Accepted:
            case LaneAnswerStatus.UnknownSession:
                sessions.Lost(ticket);
                throw new DialException("the VPS has lost the session; the next lane begins another", OpenResult.NoCarrier);
            case LaneAnswerStatus.Busy:
                throw new DialException("the VPS takes no more lanes of this gateway", OpenResult.Busy);
            default:
                throw new DialException("the VPS has had a lane of this number", OpenResult.NoCarrier);
        }
    }

    /// <summary>The options are kept: TLS sessions are resumed through them.</summary>
    private sealed record Prepared(VpsTarget Target, SslClientAuthenticationOptions Tls);
}
