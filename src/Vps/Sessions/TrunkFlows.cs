using System.Net;
using System.Net.Sockets;
using Aggregator.Flows;
using Aggregator.Relay;
using Aggregator.Trunk;
using Aggregator.Vps.Egress;
using Microsoft.Extensions.Logging;

namespace Aggregator.Vps.Sessions;

/// <summary>One session's flows: dial → answer → relay to the end. Each by itself; the session's end ends them all, dials under way too.</summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage(
    "Design", "CA1001", Justification = "The source holds no timer and no handle; flows may look at it after the session's end.")]
internal sealed class TrunkFlows(LiveGateway gateway, Dialer dialer, RelayBudget relays, ILogger logger) : ITrunkAcceptor
{
    /// <summary>
    /// Opens that wait for a thread. Beyond that the lane that brings more serves them itself and reads nothing meanwhile: a gateway that opens
    /// and resets as fast as it can would else fill the pool's queue quicker than it is emptied.
    /// </summary>
    internal const int MaxWaiting = 1024;

    private readonly CancellationTokenSource _ended = new();
    private int _waiting;

    internal int Waiting => Volatile.Read(ref _waiting);

    public void Opened(TrunkStream stream, FlowTarget target, FlowClass flowClass)
    {
        if (Interlocked.Increment(ref _waiting) > MaxWaiting)
        {
            Interlocked.Decrement(ref _waiting);
            _ = ServeAsync(stream, target);
            return;
        }

        ThreadPool.UnsafeQueueUserWorkItem(
            static s =>
            {
                Interlocked.Decrement(ref s.Flows._waiting);
                _ = s.Flows.ServeAsync(s.Stream, s.Target);
            },
            (Flows: this, Stream: stream, Target: target),
            preferLocal: false);
    }

    internal void End() => _ended.Cancel();

    private async Task ServeAsync(TrunkStream stream, FlowTarget target)
    {
        if (stream.IsBroken)
        {
            // Reset before its turn came.
            return;
        }

        bool entered = false;
        try
        {
            await using (stream)
            {
                entered = !relays.RefusesFlows && gateway.TryEnterFlow();
                if (!entered)
                {
                    gateway.CountFailed();
                    stream.Reply(new FlowReply(OpenResult.Busy, null));
                }
                else if (await DialAsync(stream, target) is { } outside)
                {
                    // Ten thousand flows wait here: what the dial needed is gone by now.
                    await using (outside)
                    {
                        await StreamRelay.RunAsync(stream, outside, relays, gateway.FromGateway, gateway.ToGateway, _ended.Token);
                    }
                }
            }
        }
        catch (IOException)
        {
            // The stream or its session ended meanwhile.
        }
        catch (OperationCanceledException)
        {
            // The session ended while it was dialled.
        }
        catch (Exception e)
        {
            logger.StreamFault(gateway.Name, e);
        }
        finally
        {
            if (entered)
            {
                gateway.LeaveFlow();
            }
        }
    }

    /// <summary>Dials and answers. Null: the target was not reached.</summary>
    private async Task<SocketByteStream?> DialAsync(TrunkStream stream, FlowTarget target)
    {
        DialResult dial = await dialer.DialAsync(target, _ended.Token);
        logger.FlowAnswered(gateway.Name, target, dial.Result);
        if (dial.Socket is not { } socket)
        {
            gateway.CountFailed();
            stream.Reply(new FlowReply(dial.Result, null));
            return null;
        }

        try
        {
            var local = (IPEndPoint)socket.LocalEndPoint!;
            stream.Reply(new FlowReply(
                OpenResult.Opened, local.Address.IsIPv4MappedToIPv6 ? new IPEndPoint(local.Address.MapToIPv4(), local.Port) : local));
            return dialer.Carry(socket);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
