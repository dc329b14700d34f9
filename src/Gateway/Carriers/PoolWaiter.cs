using Aggregator.Flows;

namespace Aggregator.Gateway.Carriers;

/// <summary>A flow's place in the queue for a connection. Ends once: with a connection, a failure or the flow's own cancellation.</summary>
internal sealed class PoolWaiter(long since)
{
    private readonly TaskCompletionSource<PoolTake> _end = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal long Since { get; } = since;

    internal Task<PoolTake> End => _end.Task;

    internal bool TryGive(ReadyConnection connection) => _end.TrySetResult(new PoolTake(connection, OpenResult.Opened));

    internal bool TryFail(OpenResult result) => _end.TrySetResult(new PoolTake(null, result));

    internal bool TryCancel(CancellationToken cancellationToken) => _end.TrySetCanceled(cancellationToken);
}

/// <param name="Connection">Null when there is none.</param>
/// <param name="Result">Why there is none.</param>
internal readonly record struct PoolTake(ReadyConnection? Connection, OpenResult Result);
