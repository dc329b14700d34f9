namespace Aggregator.Relay;

/// <summary>
/// A two-way byte stream whose directions end independently (a TCP socket, TLS over one, a trunk stream).
/// One reader and one writer at a time. Errors of the transport are <see cref="IOException"/>.
/// </summary>
internal interface IByteStream : IAsyncDisposable
{
    /// <summary>Ends when a read would not wait. Holds no buffer meanwhile, so an idle stream costs no memory.</summary>
    ValueTask WaitToReadAsync(CancellationToken cancellationToken);

    /// <summary>Bytes read into <paramref name="buffer"/>; 0 when the peer has ended its direction in good order.</summary>
    ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken);

    ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken);

    /// <summary>Ends our direction in good order (FIN); reading goes on.</summary>
    ValueTask CompleteWritesAsync(CancellationToken cancellationToken);

    /// <summary>Ends both directions at once so that the peer sees an error, not an end (RST). Safe to call at any time, twice, from any thread.</summary>
    void Abort();
}
