using Aggregator.Flows;

namespace Aggregator.Trunk;

/// <summary>What the engine tells its shell. Called under the session's lock: takes note and returns.</summary>
internal interface ITrunkEvents
{
    /// <summary>The lane should ask <see cref="TrunkEngine.Fill"/>.</summary>
    void LaneHasWork(EngineLane lane);

    /// <summary>There are bytes or the end to read, or the stream is gone.</summary>
    void Readable(EngineStream stream);

    /// <summary>There is room to write, or the stream is gone.</summary>
    void Writable(EngineStream stream);

    /// <summary>The peer answered the open (gateway).</summary>
    void Answered(EngineStream stream, FlowReply reply);

    /// <summary>The peer opened a stream (VPS).</summary>
    void Opened(EngineStream stream);

    /// <summary>The stream ended before its time.</summary>
    void Broken(EngineStream stream, StreamBreak reason);

    /// <summary>The peer said goodbye.</summary>
    void PeerLeft(GoodbyeCode code);

    /// <summary>A lane began to stall, or was heard of again.</summary>
    void LaneStalled(EngineLane lane, bool isStalled);

    /// <summary>The guard held a lane back, or lets it try again.</summary>
    void LaneGuarded(EngineLane lane);
}

/// <summary>Why a stream ended before its time. The numbers below 128 are those on the wire.</summary>
internal enum StreamBreak : byte
{
    /// <summary>Whoever used it gave up.</summary>
    Aborted = 0,

    /// <summary>The receiver had no memory left and this stream held most of it.</summary>
    OutOfMemory = 1,

    /// <summary>Never on the wire.</summary>
    SessionLost = 128,
}

/// <summary>Why a peer ends the session. The numbers are those on the wire.</summary>
internal enum GoodbyeCode : byte
{
    /// <summary>It stops, or makes a new one.</summary>
    Closed = 0,

    ProtocolError = 1,
}
