using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Aggregator.Flows;
using Aggregator.Relay;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Carriers;

/// <summary>
/// One MPTCP connection a flow, from a warm pool: the open and the flow's first bytes leave at once, without a handshake.
/// Subflows on the other WANs are the kernel's path manager's affair.
/// </summary>
internal sealed class MptcpCarrier : ICarrier
{
    /// <summary>A connection that breaks when the open is written was dead before it; so many are tried, then the VPS is taken to be gone.</summary>
    private const int MaxDeadConnections = 3;

    private readonly ConcurrentDictionary<CarrierStream, byte> _live = new();
    private readonly INodeState _node;
    private readonly CarrierLimits _limits;
    private readonly TimeProvider _time;
    private readonly Meter _meter = new(Ingress.FlowRegistry.MeterName);

    internal MptcpCarrier(ILaneDialer dialer, IWanSelector wans, INodeState node, CarrierLimits limits, TimeProvider time, ILogger logger)
    {
        _node = node;
        _limits = limits;
        _time = time;
        Pool = new ConnectionPool(dialer, wans, node, limits, time, logger);
        _meter.CreateObservableGauge("pool.ready", () => Pool.Ready, "{connection}", "Connections to the VPS that wait for flows");
        _meter.CreateObservableGauge("pool.dialing", () => Pool.Dialing, "{connection}", "Connections to the VPS being made");
        _meter.CreateObservableGauge("pool.waiting", () => Pool.Waiting, "{flow}", "Flows that wait for a connection");
        _meter.CreateObservableGauge("carrier.connections", () => _live.Count, "{connection}", "Connections to the VPS that carry a flow");
    }

    public string Name => "mptcp";

    /// <summary>For status (ready, dialling), and to be cleared when the node becomes another one or reviewed when links changed.</summary>
    internal ConnectionPool Pool { get; }

    /// <summary>Connections that carry a flow at this moment, in no order; may change while it is looked at.</summary>
    internal IEnumerable<CarrierStream> Live => _live.Select(pair => pair.Key);

    internal int LiveCount => _live.Count;

    /// <summary>
    /// What the kernel has made of the connections, ready ones included: asked now, for at most <see cref="CarrierLimits.MaxSampled"/> of them,
    /// those that carry flows first.
    /// </summary>
    internal CarrierSample Sample()
    {
        ReadyConnection[] ready = Pool.SnapshotReady();
        return CarrierSample.Read(
            _live.Select(pair => pair.Key.Socket).Concat(ready.Select(c => c.Socket)), LiveCount + ready.Length, _limits.MaxSampled);
    }

    public async ValueTask<CarriedFlow> OpenAsync(FlowTarget target, ReadOnlyMemory<byte> firstBytes, CancellationToken cancellationToken)
    {
        if (_node.Reachability is NodeReachability.Unpaired or NodeReachability.Unreachable)
        {
            return NotCarried(OpenResult.NoCarrier);
        }
        for (int dead = 0; dead < MaxDeadConnections; dead++)
        {
            PoolTake taken = await Pool.TakeAsync(cancellationToken);
            if (taken.Connection is null)
            {
                return NotCarried(taken.Result);
            }
            var stream = new CarrierStream(taken.Connection, s => _live.TryRemove(s, out _));
            _live.TryAdd(stream, 0);
            stream.BeginCarrying();
            try
            {
                await FlowClient.OpenAsync(stream, target, firstBytes, cancellationToken);
                return new CarriedFlow(stream, AwaitAnswerAsync(stream)) { Encrypted = stream.Encrypted };
            }
            catch (FlowProtocolException)
            {
                // The target has no form on the wire: the next connection would not help.
                await CloseAsync(stream);
                return NotCarried(OpenResult.Failed);
            }
            catch (IOException)
            {
                // The peer had reset it before it could see the open: safe to do it again.
                await CloseAsync(stream);
            }
            catch
            {
                await CloseAsync(stream);
                throw;
            }
        }
        return NotCarried(OpenResult.NoCarrier);
    }

    /// <summary>Ends the pool. Flows under way go on until their registry ends them.</summary>
    public async ValueTask DisposeAsync()
    {
        await Pool.DisposeAsync();
        _meter.Dispose();
    }

    private static CarriedFlow NotCarried(OpenResult result) => new(null, Task.FromResult(new OpenReply(result, null)));

    private static async ValueTask CloseAsync(CarrierStream stream)
    {
        stream.Abort();
        await stream.DisposeAsync();
    }

    private async Task<OpenReply> AwaitAnswerAsync(CarrierStream stream)
    {
        using var timeout = new CancellationTokenSource(_limits.AnswerTimeout, _time);
        try
        {
            FlowReply reply = await FlowClient.ReadReplyAsync(stream, timeout.Token);
            return new OpenReply(reply.Result, reply.Bound);
        }
        catch (OperationCanceledException)
        {
            stream.Abort();
            return new OpenReply(OpenResult.TimedOut, null);
        }
        catch (FlowProtocolException)
        {
            stream.Abort();
            return new OpenReply(OpenResult.Failed, null);
        }
        catch (IOException)
        {
            // The connection died: the VPS or every way to it is gone.
            stream.Abort();
            return new OpenReply(OpenResult.NoCarrier, null);
        }
    }
}
