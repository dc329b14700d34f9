using System.Net;
using System.Net.Sockets;
using Aggregator.Gateway.Carriers;
using Aggregator.Gateway.Links;
using Aggregator.Protocol.V1;

namespace Aggregator.Gateway.Speed;

/// <summary>What a test is made with.</summary>
/// <param name="ResolveAsync">Where the VPS is, best first.</param>
/// <param name="CarrierSockets">The carrier's connections at the moment, for the kernel's figures.</param>
/// <param name="VpsHealth">Its latest report; null: none.</param>
/// <param name="LinkOf">The link that has this address.</param>
/// <param name="Verified">Told what was found about MPTCP.</param>
/// <param name="Loads">Where links are told to be loaded.</param>
internal sealed record SpeedParts(
    SpeedDialer Dialer,
    Func<CancellationToken, Task<IPEndPoint[]>> ResolveAsync,
    ICarrier Carrier,
    Func<IEnumerable<Socket>> CarrierSockets,
    Func<IPAddress, string?> LinkOf,
    Func<VpsHealth?> VpsHealth,
    LinkLoads Loads,
    Action<IReadOnlyList<SpeedPath>, IReadOnlyList<PathVerdict>> Verified);
