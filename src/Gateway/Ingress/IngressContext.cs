using System.Net;
using Aggregator.Flows;
using Aggregator.Gateway.Carriers;
using Aggregator.Gateway.Configuration;
using Aggregator.Relay;
using Aggregator.Trunk;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Ingress;

/// <summary>What every listener is given.</summary>
/// <param name="Budget">The daemon's one relay budget.</param>
internal sealed record IngressContext(
    ICarrier Carrier, FlowRegistry Flows, RelayBudget Budget, IngressLimits Limits, TimeProvider Time, ILogger Logger)
{
    /// <summary>Flows that are to go twice.</summary>
    internal RedundantFlows Redundant { get; init; } = RedundantFlows.None;

    /// <summary>How single datagrams leave. Null: not at all.</summary>
    internal IDatagramWay? Datagrams { get; init; }

    internal AssociationDesk Associations { get; init; } = new(AssociationLimits.Default);

    /// <summary>A place for each connection of any listener, <see cref="IngressLimits.MaxConnections"/> in all.</summary>
    internal SemaphoreSlim Slots { get; } = new(Limits.MaxConnections);

    internal FlowOrigin OriginOf(string ingress, EndPoint? remote, FlowTarget target)
    {
        var client = (remote as IPEndPoint)?.Address;
        return new FlowOrigin(client, Redundant.Has(ingress, client, target) ? FlowClass.Redundant : FlowClass.Default);
    }
}
