using System.Net.Sockets;
using Aggregator.Relay;

namespace Aggregator.Gateway.Direct;

/// <summary>A direct flow's bytes.</summary>
internal sealed class DirectStream(Socket socket, DirectWay way, Action<DirectStream> closed) : IByteStream
{
    private readonly SocketByteStream _inner = new(socket);
    private int _closed;

    internal DirectWay Way => way;

    public ValueTask WaitToReadAsync(CancellationToken cancellationToken) => _inner.WaitToReadAsync(cancellationToken);

    public ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken) => _inner.ReadAsync(buffer, cancellationToken);

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
}
