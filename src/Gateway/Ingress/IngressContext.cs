using Aggregator.Gateway.Carriers;
using Aggregator.Relay;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Ingress;

/// <summary>What every listener is given.</summary>
/// <param name="Budget">The daemon's one relay budget.</param>
internal sealed record IngressContext(
    ICarrier Carrier, FlowRegistry Flows, RelayBudget Budget, IngressLimits Limits, TimeProvider Time, ILogger Logger)
{
    /// <summary>A place for each connection of any listener, <see cref="IngressLimits.MaxConnections"/> in all.</summary>
    internal SemaphoreSlim Slots { get; } = new(Limits.MaxConnections);
}
