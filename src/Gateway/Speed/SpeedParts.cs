using System.Net;

namespace Aggregator.Gateway.Speed;

/// <summary>What a test is made with.</summary>
/// <param name="ResolveAsync">Where the VPS is, best first.</param>
internal sealed record SpeedParts(SpeedDialer Dialer, Func<CancellationToken, Task<IPEndPoint[]>> ResolveAsync);
