namespace Aggregator.Gateway.Node;

/// <summary>The four words that `status` knows for the VPS.</summary>
internal enum NodeConnectivity
{
    Unpaired,
    Connecting,
    Connected,
    Unreachable,
}

/// <summary>One immutable picture of the connection to the VPS.</summary>
/// <param name="Connectivity">Where it stands.</param>
/// <param name="Address">The VPS's address in use, else the name or address it was paired under; null while unpaired.</param>
/// <param name="RoundTrip">Of the last answered ping over the control connection; null until one was.</param>
/// <param name="Version">What the VPS says of itself; null until it did.</param>
/// <param name="Reason">Why it is not connected, in one sentence; null while it is.</param>
/// <param name="Session">What data connections need; null unless connected.</param>
internal sealed record NodeState(
    NodeConnectivity Connectivity,
    string? Address = null,
    string? Name = null,
    TimeSpan? RoundTrip = null,
    string? Version = null,
    string? Reason = null,
    NodeSession? Session = null)
{
    internal static NodeState Unpaired { get; } = new(
        NodeConnectivity.Unpaired,
        Reason: "not paired: run `aggregator-vps pair` on the VPS and give its line to `aggregator-gateway pair`");
}

/// <param name="SessionId">Names this session on data connections without cipher; empty where the VPS does not allow these.</param>
/// <param name="PlainKey">Authenticates data connections without cipher.</param>
internal sealed record NodeSession(ReadOnlyMemory<byte> SessionId, ReadOnlyMemory<byte> PlainKey, uint FlowProtocol, bool MptcpEnabled)
{
    internal bool AllowsPlain => !SessionId.IsEmpty && !PlainKey.IsEmpty;
}
