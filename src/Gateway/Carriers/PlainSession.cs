namespace Aggregator.Gateway.Carriers;

/// <summary>
/// One control session's means to authenticate data connections without cipher (proto/flow.md). One instance a session:
/// the counter in it makes each preface good for one connection.
/// </summary>
internal sealed class PlainSession(ReadOnlyMemory<byte> sessionId, ReadOnlyMemory<byte> key)
{
    private ulong _counter;

    internal ReadOnlyMemory<byte> SessionId { get; } = sessionId;

    internal ReadOnlyMemory<byte> Key { get; } = key;

    /// <summary>Never the same twice; the first is 1.</summary>
    internal ulong NextCounter() => Interlocked.Increment(ref _counter);
}
