using Aggregator.Flows;
using Microsoft.Extensions.Logging;

namespace Aggregator.Trunk;

/// <summary>
/// One trunk between a gateway and a VPS: lanes that come and go, streams that live through it. The same type at both ends.
/// Safe for many threads.
/// </summary>
internal sealed class TrunkSession : IAsyncDisposable
{
    internal const string MeterName = "Aggregator.Trunk";

    /// <param name="role">Which end we are.</param>
    /// <param name="id">The gateway makes a random one; the VPS takes it from the first lane's offer.</param>
    /// <param name="name">For logs and metrics: the gateway's name at the VPS, the VPS's address at the gateway.</param>
    /// <param name="acceptor">At the VPS; null at the gateway.</param>
    /// <param name="budget">The daemon's one.</param>
    internal TrunkSession(
        TrunkRole role, UInt128 id, string name, ITrunkAcceptor? acceptor, TrunkBudget budget, TrunkOptions options, TimeProvider time, ILogger logger)
    {
        _ = (name, acceptor, budget, options, time, logger);
        Role = role;
        Id = id;
    }

    internal TrunkRole Role { get; }

    internal UInt128 Id { get; }

    /// <summary>Completes when the session has ended, however it did; all its lanes and streams have then. Never faults.</summary>
    internal Task<TrunkEnd> Ended => throw new NotImplementedException();

    /// <summary>Lanes at this moment.</summary>
    internal int LaneCount => throw new NotImplementedException();

    /// <summary>Whether another lane would be taken.</summary>
    internal bool CanAddLane => throw new NotImplementedException();

    /// <summary>Some lane carries (not stalled): opening a stream makes sense.</summary>
    internal bool IsCarrying => throw new NotImplementedException();

    /// <summary>Makes a lane of a connection whose hello is done. It carries at once. On a session that has ended, or with too many lanes, it ends at once.</summary>
    internal TrunkLane AddLane(LaneTransport transport) => throw new NotImplementedException();

    /// <summary>
    /// Opens a stream (gateway). Returns as soon as the open and <paramref name="firstBytes"/> are queued for the quickest lane; they are not looked at any more then.
    /// The VPS's answer is <see cref="TrunkStream.Opened"/>. Without any lane the stream waits for one.
    /// </summary>
    /// <returns>Null: the session has ended, or has its most streams.</returns>
    /// <exception cref="FlowProtocolException">The target has no form on the wire.</exception>
    internal ValueTask<TrunkStream?> OpenAsync(
        FlowTarget target, ReadOnlyMemory<byte> firstBytes, FlowClass flowClass, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <summary>For status.</summary>
    /// <param name="maxStreams">The most streams to list.</param>
    internal TrunkSample Sample(int maxStreams) => throw new NotImplementedException();

    /// <summary>Ends the session, tells the peer, and waits until lanes and streams have ended.</summary>
    public ValueTask DisposeAsync() => throw new NotImplementedException();
}
