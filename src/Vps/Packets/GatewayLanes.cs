using System.Security.Cryptography;
using Aggregator.Datagrams;
using Aggregator.Packets;
using Aggregator.Protocol.V1;
using Google.Protobuf;

namespace Aggregator.Vps.Packets;

/// <summary>One gateway's session of UDP lanes. It ends with the next one, with the gateway's revocation, and with the daemon.</summary>
internal sealed class GatewayLanes : IAsyncDisposable
{
    private readonly UdpServer _server;
    private readonly UdpTicker _ticker;

    private GatewayLanes(uint session, UdpLanes lanes, UdpServer server, TimeProvider time, Func<bool> isPaired)
    {
        Session = session;
        Lanes = lanes;
        _server = server;
        server.Add(session, lanes);
        _ticker = new UdpTicker(lanes, time, () =>
        {
            if (isPaired())
            {
                return true;
            }

            server.Remove(session);
            lanes.Dispose();
            return false;
        });
    }

    internal uint Session { get; }

    internal UdpLanes Lanes { get; }

    /// <summary>With new keys, which the reply has for the gateway.</summary>
    internal static (GatewayLanes Lanes, OpenLanesReply Reply) Open(
        UdpServer server, int port, RealTimePolicy policy, IPacketSink sink, TimeProvider time, Func<bool> isPaired)
    {
        byte[] fromGateway = RandomNumberGenerator.GetBytes(UdpCipher.KeyBytes);
        byte[] toGateway = RandomNumberGenerator.GetBytes(UdpCipher.KeyBytes);
        uint session = server.NewSession();
        var lanes = new UdpLanes(isGateway: false, new UdpCipher(session, toGateway, fromGateway), policy, time);
        lanes.Receiver.Sink = sink;
        var reply = new OpenLanesReply
        {
            Session = session,
            KeyFromGateway = ByteString.CopyFrom(fromGateway),
            KeyToGateway = ByteString.CopyFrom(toGateway),
            Port = (uint)port,
        };
        return (new GatewayLanes(session, lanes, server, time, isPaired), reply);
    }

    public async ValueTask DisposeAsync()
    {
        _server.Remove(Session);
        await _ticker.DisposeAsync();
        Lanes.Dispose();
    }
}
