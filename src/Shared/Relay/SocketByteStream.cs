using System.Net.Sockets;
using Aggregator.Interop;

namespace Aggregator.Relay;

/// <summary>A connected TCP or MPTCP socket as a byte stream. Owns the socket. Allocates nothing per operation.</summary>
internal sealed class SocketByteStream : IByteStream, IOperationOwner
{
    private readonly TranslatedOperation _read;
    private TranslatedOperation? _write;

    /// <summary>
    /// Read so much, and it is no small request. Before that the kernel sizes the receive buffer: it begins small and grows with what is read. Set from the start,
    /// each connection could fill all of it, also one that nobody reads.
    /// </summary>
    private const long BulkBytes = 256 * 1024;

    /// <summary>The kernel can double a buffer within so much: asked as often, an answer that has become smaller comes in time.</summary>
    private const long AskAgainBytes = 1024 * 1024;

    private readonly Func<int>? _receiveBufferBytes;
    private long _readBeforeAsking;

    /// <summary>What it was set to; 0: the kernel sizes it.</summary>
    private int _bound;

    /// <summary>The most that it ever had. The kernel grows a buffer only when more is read in a round trip than ever was before.</summary>
    private int _most;
    private int _aborted;

    /// <param name="receiveBufferBytes">
    /// Asked once bulk comes in and then now and again: what the kernel may hold of it (SO_RCVBUF); 0 for the kernel's own sizing. Null: that throughout.
    /// </param>
    internal SocketByteStream(Socket socket, Func<int>? receiveBufferBytes = null)
    {
        Socket = socket;
        _receiveBufferBytes = receiveBufferBytes;
        _readBeforeAsking = receiveBufferBytes is null ? long.MaxValue : BulkBytes;
        _read = new TranslatedOperation(this);
    }

    /// <summary>For options and addresses; never read from or written to past this class.</summary>
    internal Socket Socket { get; }

    private bool Aborted => Volatile.Read(ref _aborted) != 0;

    public ValueTask WaitToReadAsync(CancellationToken cancellationToken) =>
        // A receive of nothing waits for readiness and consumes nothing; an end or an error makes it ready too.
        _read.WaitOnly(SocketErrors.ReceiveAsync(Socket, Memory<byte>.Empty, cancellationToken), Socket, cancellationToken);

    public ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken) =>
        _read.Count(SocketErrors.ReceiveAsync(Socket, buffer, cancellationToken), 0);

    public ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken)
    {
        // A flow one of whose sends had to wait is a large one, and is better off with .NET's own queue from then on.
        int sent = _write is not null || Aborted || cancellationToken.IsCancellationRequested ? 0 : SocketErrors.SendNow(Socket, buffer.Span);
        if (sent == buffer.Length && sent > 0)
        {
            return ValueTask.CompletedTask;
        }

        _write ??= new TranslatedOperation(this);
        return _write.Run(SocketErrors.SendAsync(Socket, buffer[sent..], cancellationToken), buffer.Length - sent);
    }

    public ValueTask CompleteWritesAsync(CancellationToken cancellationToken)
    {
        try
        {
            Socket.Shutdown(SocketShutdown.Send);
            return ValueTask.CompletedTask;
        }
        catch (Exception e) when (SocketErrors.TryTranslate(e, Aborted) is { } error)
        {
            return ValueTask.FromException(error);
        }
    }

    public void Abort()
    {
        if (Interlocked.Exchange(ref _aborted, 1) == 0)
        {
            SocketErrors.CloseWithReset(Socket);
        }
    }

    public ValueTask DisposeAsync()
    {
        Socket.Dispose();
        return ValueTask.CompletedTask;
    }

    int IOperationOwner.Check(int result, int asked)
    {
        // An abort under a pending receive may show as an end of the stream; it must never be taken for one.
        if (result == 0 && Aborted)
        {
            throw SocketErrors.Aborted();
        }

        SocketErrors.CheckSent(result, asked);
        if (asked == 0 && _readBeforeAsking != long.MaxValue && (_readBeforeAsking -= result) <= 0)
        {
            _readBeforeAsking = AskAgainBytes;
            BoundReceiveBuffer(_receiveBufferBytes!());
        }

        return result;
    }

    private void BoundReceiveBuffer(int bytes)
    {
        // Less than a doubling is not worth a call.
        bool same = bytes == 0 || _bound == 0 ? bytes == _bound : bytes < 2L * _bound && _bound < 2L * bytes;
        if (same)
        {
            return;
        }

        try
        {
            // socket(7): the kernel tells the double of what it is given.
            _most = Math.Max(_most, Socket.ReceiveBufferSize / 2);
            SocketBuffers.SetReceive(Socket.SafeHandle, bytes == 0 ? _most : bytes);
            if (bytes == 0)
            {
                SocketBuffers.Release(Socket.SafeHandle);
            }

            _bound = bytes;
        }
        catch (ObjectDisposedException)
        {
            // Closed under us: the next operation tells.
        }
    }

    Exception? IOperationOwner.Translate(Exception error) => SocketErrors.TryTranslate(error, Aborted);
}
