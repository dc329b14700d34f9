using System.Net;
using Aggregator.Flows;
using Aggregator.Relay;

namespace Aggregator.Gateway.Carriers;

/// <summary>A flow under way.</summary>
/// <param name="Stream">The flow's bytes; null when there was no carrier to open it on (then <paramref name="Opened"/> is already complete).
/// Writes are allowed before <paramref name="Opened"/> completes; reads only after it said <see cref="OpenResult.Opened"/>.</param>
/// <param name="Opened">The VPS's answer. Never faults; a connection that died is a result too.</param>
internal sealed record CarriedFlow(IByteStream? Stream, Task<OpenReply> Opened)
{
    /// <summary>Its bytes go through a cipher in this process; see <see cref="InlineCompletions"/>.</summary>
    internal bool Encrypted { get; init; }
}

/// <summary>The VPS's answer to an open.</summary>
/// <param name="Result">How it ended.</param>
/// <param name="Bound">The VPS's local end of the connection to the target (SOCKS5's BND.ADDR); null unless opened.</param>
internal readonly record struct OpenReply(OpenResult Result, IPEndPoint? Bound);
