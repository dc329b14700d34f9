using Aggregator.Flows;
using Aggregator.Relay;

namespace Aggregator.Gateway.Carriers;

/// <summary>Moves flows to the VPS. The seam between ingress and transport: `mptcp` today, `trunk` next.</summary>
internal interface ICarrier : IAsyncDisposable
{
    /// <summary>As in the configuration's `carrier` key.</summary>
    string Name { get; }

    /// <summary>
    /// Opens a flow to <paramref name="target"/>. Returns as soon as the open and <paramref name="firstBytes"/> are on their way;
    /// whether the target answered is told by <see cref="CarriedFlow.Opened"/>. <paramref name="firstBytes"/> is not looked at any more after the return. The token is for the opening only.
    /// Never throws for an expected failure.
    /// </summary>
    ValueTask<CarriedFlow> OpenAsync(FlowTarget target, ReadOnlyMemory<byte> firstBytes, CancellationToken cancellationToken);

    /// <summary>The same, for whom it matters whose flow it is.</summary>
    ValueTask<CarriedFlow> OpenAsync(FlowOrigin origin, FlowTarget target, ReadOnlyMemory<byte> firstBytes, CancellationToken cancellationToken) =>
        OpenAsync(target, firstBytes, cancellationToken);
}
