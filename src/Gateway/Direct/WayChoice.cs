using Aggregator.Flows;
using Aggregator.Gateway.Carriers;
using Aggregator.Gateway.Configuration;

namespace Aggregator.Gateway.Direct;

/// <summary>
/// Decides once for each flow: carried or direct. A flow that the carrier cannot take (it has not sent a byte of it then) goes out directly
/// too, where that is the fallback.
/// </summary>
internal sealed class WayChoice(ICarrier carrier, DirectCarrier direct, DirectConfig config, DirectSwitch state) : ICarrier
{
    public string Name => carrier.Name;

    public ValueTask<CarriedFlow> OpenAsync(FlowTarget target, ReadOnlyMemory<byte> firstBytes, CancellationToken cancellationToken) =>
        OpenAsync(default(FlowOrigin), target, firstBytes, cancellationToken);

    public async ValueTask<CarriedFlow> OpenAsync(
        FlowOrigin origin, FlowTarget target, ReadOnlyMemory<byte> firstBytes, CancellationToken cancellationToken)
    {
        if (state.State.IsDirect || (target.Address is { } address && config.To.Any(n => n.Contains(address))))
        {
            return await direct.OpenAsync(origin, target, firstBytes, cancellationToken);
        }

        var carried = await carrier.OpenAsync(origin, target, firstBytes, cancellationToken);
        if (carried.Stream is null && config.IsFallback && (await carried.Opened).Result == OpenResult.NoCarrier)
        {
            return await direct.OpenAsync(origin, target, firstBytes, cancellationToken);
        }

        return carried;
    }

    /// <summary>Both have their own owners.</summary>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
