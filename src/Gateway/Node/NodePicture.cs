using Aggregator.Gateway.Carriers;

namespace Aggregator.Gateway.Node;

/// <summary>One immutable picture of the connection to the VPS.</summary>
/// <param name="Reachability">Where it stands.</param>
/// <param name="Address">Host and port under which the VPS was paired; null while unpaired.</param>
/// <param name="GatewayName">What the VPS calls us.</param>
/// <param name="Version">What the VPS says of itself; null until it did.</param>
/// <param name="Reason">Why it is not connected, in one sentence; null while it is.</param>
/// <param name="Plain">For data connections without cipher; null while not connected, or where the VPS does not allow these.</param>
internal sealed record NodePicture(
    NodeReachability Reachability,
    string? Address = null,
    string? GatewayName = null,
    string? Version = null,
    string? Reason = null,
    PlainSession? Plain = null)
{
    internal static NodePicture Unpaired { get; } = new(
        NodeReachability.Unpaired,
        Reason: "not paired: run `aggregator-vps pair` on the VPS and give its line to `aggregator-gateway pair`");
}
