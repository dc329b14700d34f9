using System.Buffers;
using System.Net;
using System.Net.Sockets;
using Aggregator.Flows;
using Aggregator.Mptcp;
using Aggregator.Relay;
using Aggregator.Vps.Egress;
using Microsoft.Extensions.Logging;

namespace Aggregator.Vps.Sessions;

/// <summary>
/// The VPS's half of the flow protocol on one data connection: greet → wait for the Open (no buffer held) → dial → reply → relay.
/// Until the dial has ended nothing of the flow is read: its first bytes wait in the socket, and TCP holds back what does not fit.
/// </summary>
internal sealed class FlowServer(Dialer dialer, RelayBudget budget, TimeProvider time, ILogger<FlowServer> logger)
{
    /// <summary>How long a connection may wait for its Open; proto/flow.md.</summary>
    internal static readonly TimeSpan MaxIdle = TimeSpan.FromMinutes(15);

    /// <summary>From the first byte of an Open to its last.</summary>
    private static readonly TimeSpan OpenTime = TimeSpan.FromSeconds(10);

    /// <summary>After a refusal the gateway's bytes are read and dropped for so long, so that the Reply is not overtaken by a reset.</summary>
    private static readonly TimeSpan DrainTime = TimeSpan.FromSeconds(2);

    private const int DrainBytes = 1024 * 1024;

    /// <param name="socket">The one below <paramref name="stream"/>.</param>
    /// <summary>Serves the connection to its end and closes it. Never throws for what a peer or the network does.</summary>
    internal async Task ServeAsync(IByteStream stream, Socket socket, LiveGateway gateway, CancellationToken stopping)
    {
        try
        {
            if (await ReadOpenAsync(stream, gateway, stopping) is { } target)
            {
                CongestionChoice.Carry(socket);
                await CarryAsync(stream, gateway, target, stopping);
            }
        }
        catch (FlowProtocolException e)
        {
            logger.ProtocolBroken(gateway.Name, e.Message);
            stream.Abort();
        }
        catch (IOException)
        {
            // The gateway dropped it: a pool does that.
            stream.Abort();
        }
        catch (OperationCanceledException)
        {
            stream.Abort();
        }
        finally
        {
            await stream.DisposeAsync();
        }
    }

    /// <returns>Null: the connection ends without a flow, in good order.</returns>
    private async Task<FlowTarget?> ReadOpenAsync(IByteStream stream, LiveGateway gateway, CancellationToken stopping)
    {
        bool entered = !budget.RefusesFlows && gateway.TryEnterIdle();
        try
        {
            byte[] greeting = new byte[FlowProtocol.GreetingBytes];
            FlowProtocol.WriteGreeting(greeting, entered ? GreetingStatus.Ready : GreetingStatus.Busy);
            await stream.WriteAsync(greeting, stopping);
            if (!entered)
            {
                await EndAsync(stream, stopping);
                return null;
            }

            using var idle = new CancellationTokenSource(MaxIdle, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping, idle.Token);
            await stream.WaitToReadAsync(either.Token);
        }
        finally
        {
            if (entered)
            {
                gateway.LeaveIdle();
            }
        }

        using var limit = new CancellationTokenSource(OpenTime, time);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(FlowProtocol.MaxOpenBytes);
        try
        {
            // A connection that ends here was not needed: no error.
            int first = await stream.ReadAsync(buffer.AsMemory(0, FlowProtocol.OpenHeaderBytes), limit.Token);
            if (first == 0)
            {
                await stream.CompleteWritesAsync(limit.Token);
                return null;
            }

            await stream.ReadExactlyAsync(buffer.AsMemory(first, FlowProtocol.OpenHeaderBytes - first), limit.Token);
            var header = FlowProtocol.ReadOpenHeader(buffer);
            await stream.ReadExactlyAsync(buffer.AsMemory(0, header.TargetBytes), limit.Token);
            return FlowProtocol.ReadTarget(header, buffer);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private async Task CarryAsync(IByteStream stream, LiveGateway gateway, FlowTarget target, CancellationToken stopping)
    {
        if (budget.RefusesFlows || !gateway.TryEnterFlow())
        {
            gateway.CountFailed();
            await RefuseAsync(stream, OpenResult.Busy, stopping);
            return;
        }

        try
        {
            var dial = await dialer.DialAsync(target, stopping);
            logger.FlowAnswered(gateway.Name, target, dial.Result);
            if (dial.Socket is not { } socket)
            {
                gateway.CountFailed();
                await RefuseAsync(stream, dial.Result, stopping);
                return;
            }

            await using var outside = dialer.Carry(socket);
            if (stream is TlsByteStream tls)
            {
                InlineCompletions.Prefer(tls.Socket);
                InlineCompletions.Prefer(socket);
            }

            try
            {
                await WriteReplyAsync(stream, new FlowReply(OpenResult.Opened, Bare((IPEndPoint)socket.LocalEndPoint!)), stopping);
            }
            catch (IOException)
            {
                outside.Abort();
                throw;
            }

            await StreamRelay.RunAsync(stream, outside, budget, gateway.FromGateway, gateway.ToGateway, stopping);
        }
        finally
        {
            gateway.LeaveFlow();
        }
    }

    private async Task RefuseAsync(IByteStream stream, OpenResult result, CancellationToken stopping)
    {
        await WriteReplyAsync(stream, new FlowReply(result, null), stopping);
        await EndAsync(stream, stopping);
    }

    private static async Task WriteReplyAsync(IByteStream stream, FlowReply reply, CancellationToken stopping)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(FlowProtocol.ReplyBytes);
        try
        {
            FlowProtocol.WriteReply(buffer, reply);
            await stream.WriteAsync(buffer.AsMemory(0, FlowProtocol.ReplyBytes), stopping);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Ends our direction and drops what still comes, within bounds: a close with unread bytes would be a reset.</summary>
    private async Task EndAsync(IByteStream stream, CancellationToken stopping)
    {
        await stream.CompleteWritesAsync(stopping);
        using var limit = new CancellationTokenSource(DrainTime, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping, limit.Token);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(16 * 1024);
        try
        {
            for (int dropped = 0; dropped < DrainBytes;)
            {
                int count = await stream.ReadAsync(buffer, either.Token);
                if (count == 0)
                {
                    return;
                }

                dropped += count;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static IPEndPoint Bare(IPEndPoint endPoint) =>
        endPoint.Address.IsIPv4MappedToIPv6 ? new IPEndPoint(endPoint.Address.MapToIPv4(), endPoint.Port) : endPoint;
}
