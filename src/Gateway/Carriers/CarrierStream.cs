using System.Net.Sockets;
using Aggregator.Mptcp;
using Aggregator.Relay;

namespace Aggregator.Gateway.Carriers;

/// <summary>
/// A pool's connection in the hands of a flow. The read of nothing that watched it while it was ready is still under way,
/// and becomes the flow's first wait for bytes (one reader at a time).
/// </summary>
internal sealed class CarrierStream(ReadyConnection connection, Action<CarrierStream> closed) : IByteStream
{
    private readonly IByteStream _inner = connection.Stream;
    private Task? _firstWait = connection.Readable;
    private int _closed;

    /// <summary>For the kernel's figures only.</summary>
    internal Socket Socket => connection.Socket;

    internal WanPath Path => connection.Path;

    internal bool Encrypted => _inner is TlsByteStream;

    /// <summary>From a connection that waits to one that carries.</summary>
    internal void BeginCarrying()
    {
        CongestionChoice.Carry(Socket);
        if (Encrypted)
        {
            InlineCompletions.Prefer(Socket);
        }
    }

    public ValueTask WaitToReadAsync(CancellationToken cancellationToken) =>
        _firstWait is null ? _inner.WaitToReadAsync(cancellationToken) : WaitFirstAsync(_firstWait, cancellationToken);

    public ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken) =>
        _firstWait is null ? _inner.ReadAsync(buffer, cancellationToken) : throw new InvalidOperationException("WaitToReadAsync comes first.");

    public ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken) => _inner.WriteAsync(buffer, cancellationToken);

    public ValueTask CompleteWritesAsync(CancellationToken cancellationToken) => _inner.CompleteWritesAsync(cancellationToken);

    public void Abort() => _inner.Abort();

    public ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _closed, 1) == 0)
        {
            closed(this);
        }
        return _inner.DisposeAsync();
    }

    private async ValueTask WaitFirstAsync(Task first, CancellationToken cancellationToken)
    {
        await first.WaitAsync(cancellationToken);
        _firstWait = null;
    }
}
