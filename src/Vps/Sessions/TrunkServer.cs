using System.Net.Sockets;
using Aggregator.Relay;
using Aggregator.Trunk;
using Aggregator.Vps.Egress;
using Microsoft.Extensions.Logging;

namespace Aggregator.Vps.Sessions;

/// <summary>
/// Lanes as they arrive: the hello within its time → the registry decides → part of the gateway's session until the lane ends.
/// A session's streams are dialled and relayed by its <see cref="TrunkFlows"/>.
/// </summary>
internal sealed class TrunkServer(TrunkRegistry registry, Dialer dialer, RelayBudget relays, TrunkBudget budget, TimeProvider time, ILogger<TrunkServer> logger)
{
    /// <summary>For the offer and its answer. The connection is authenticated already.</summary>
    private static readonly TimeSpan HelloTime = TimeSpan.FromSeconds(10);

    /// <summary>Serves a lane to its end and closes it. Never throws for what a peer or the network does.</summary>
    internal async Task ServeAsync(IByteStream stream, Socket socket, LiveGateway gateway, CancellationToken stopping)
    {
        TrunkLane? lane = null;
        LaneLook? look = null;
        try
        {
            using (var limit = new CancellationTokenSource(HelloTime, time))
            using (var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stopping))
            {
                LaneOffer offer = await LaneHandshake.ReadOfferAsync(stream, either.Token);
                LaneAdmission admission = registry.Admit(gateway.Pin, offer, id => Begin(id, gateway, stopping));
                await LaneHandshake.AnswerAsync(stream, admission.Answer, either.Token);
                if (admission.Session is not { } session)
                {
                    logger.LaneRefused(gateway.Name, admission.Answer.Status.ToString());
                    await stream.CompleteWritesAsync(either.Token);
                    // Until the gateway has read it and closes: a reset now could overtake the answer.
                    await stream.WaitToReadAsync(either.Token);
                    return;
                }

                look = new LaneLook(session, offer.LaneId, socket);
                gateway.Add(look);
                logger.LaneUp(gateway.Name, offer.LaneId, offer.Link, look.IsMptcp ? "MPTCP" : "plain TCP");
                lane = session.AddLane(new LaneTransport(
                    offer.LaneId, offer.Link, offer.Role, stream, new SocketLaneMeter(socket), new LaneCongestion(socket, time, offer.LaneId)));
            }

            LaneEnd end = await lane.Ended.WaitAsync(stopping);
            logger.LaneEnded(gateway.Name, lane.Id, lane.Link, end.Reason.ToString(), end.Detail ?? "");
        }
        catch (TrunkProtocolException e)
        {
            logger.ProtocolBroken(gateway.Name, e.Message);
        }
        catch (IOException)
        {
            // The gateway dropped it before it was one.
        }
        catch (OperationCanceledException)
        {
            // Too slow, or the daemon stops.
        }
        finally
        {
            if (look is not null)
            {
                gateway.Remove(look);
            }

            if (lane is null)
            {
                stream.Abort();
                await stream.DisposeAsync();
            }
            else
            {
                lane.Close();
            }
        }
    }

    private TrunkSession Begin(UInt128 id, LiveGateway gateway, CancellationToken stopping)
    {
        var flows = new TrunkFlows(gateway, dialer, relays, logger);
        var session = new TrunkSession(TrunkRole.Vps, id, gateway.Name, flows, budget, new TrunkOptions(), time, logger);
        gateway.Add(session);
        _ = EndWithDaemonAsync(session, flows, gateway, stopping);
        return session;
    }

    private async Task EndWithDaemonAsync(TrunkSession session, TrunkFlows flows, LiveGateway gateway, CancellationToken stopping)
    {
        using var registration = stopping.UnsafeRegister(static s => _ = ((TrunkSession)s!).DisposeAsync().AsTask(), session);
        TrunkEnd end = await session.Ended;
        gateway.Remove(session);
        flows.End();
        logger.TrunkEnded(gateway.Name, end.Reason.ToString(), end.Detail ?? "");
    }
}
