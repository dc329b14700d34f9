using Aggregator.Flows;

namespace Aggregator.Trunk;

/// <summary>The VPS's side of opened streams.</summary>
internal interface ITrunkAcceptor
{
    /// <summary>
    /// The gateway opened a stream. Called outside of the session's lock, from a lane's read loop: starts the dial and returns at once.
    /// Ends with <see cref="TrunkStream.Reply"/> exactly once, and with the disposal of the stream. Bytes that came with the open wait in the stream.
    /// </summary>
    void Opened(TrunkStream stream, FlowTarget target, FlowClass flowClass);
}
