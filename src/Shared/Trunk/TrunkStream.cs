using Aggregator.Flows;
using Aggregator.Relay;

namespace Aggregator.Trunk;

/// <summary>
/// A flow through a trunk. Idle it holds no buffer. Writes may begin at once; at the gateway reads wait for the VPS's answer by themselves.
/// A stream that the peer or a lost session ended fails reads and writes with <see cref="IOException"/>.
/// </summary>
internal sealed class TrunkStream : IByteStream
{
    internal TrunkStream(TrunkSession session, uint id, FlowClass flowClass)
    {
        Session = session;
        Id = id;
        FlowClass = flowClass;
    }

    internal TrunkSession Session { get; }

    internal uint Id { get; }

    internal FlowClass FlowClass { get; }

    /// <summary>
    /// The VPS's answer. Never faults: a stream that ended before it was answered gives <see cref="OpenResult.NoCarrier"/>. There is no time limit here.
    /// After anything but <see cref="OpenResult.Opened"/> the stream is of no more use: dispose it.
    /// </summary>
    internal Task<FlowReply> Opened => throw new NotImplementedException();

    /// <summary>The VPS's answer to the open, once. Anything but <see cref="OpenResult.Opened"/> ends the stream in good order.</summary>
    internal void Reply(FlowReply reply) => throw new NotImplementedException();

    public ValueTask WaitToReadAsync(CancellationToken cancellationToken) => throw new NotImplementedException();

    public ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken) => throw new NotImplementedException();

    public ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken) => throw new NotImplementedException();

    public ValueTask CompleteWritesAsync(CancellationToken cancellationToken) => throw new NotImplementedException();

    public void Abort() => throw new NotImplementedException();

    /// <summary>Aborts unless both directions have ended in good order.</summary>
    public ValueTask DisposeAsync() => throw new NotImplementedException();
}
