using System.Buffers;
using System.Net.Sockets;
using Aggregator.Interop;

namespace Aggregator.Relay;

/// <summary>
/// The socket below an SslStream. SslStream answers 0 both for the peer's close_notify and for a bare FIN between two records;
/// RFC 8446 section 6.1 makes the second a truncation. This stream notes the bare end, so that the two can be told apart.
/// </summary>
internal sealed class TlsTransport : AsyncStream, IOperationOwner
{
    private readonly TranslatedOperation _read;
    private readonly TranslatedOperation _write;
    private long _mayReceiveBytes = long.MaxValue;
    private volatile bool _ended;

    // Reading ahead: bytes that were received and not handed out yet, in a buffer of the caller's or in the kept one.
    private TlsRecordTracker _records;
    private ReadOnlyMemory<byte> _ahead;
    private byte[]? _kept;
    private Memory<byte> _receiving;

    // Putting records together: what SslStream wrote since BeginGather.
    private byte[]? _gather;
    private int _gatheredBytes;

    internal TlsTransport(Socket socket)
    {
        Socket = socket;
        _read = new TranslatedOperation(this);
        _write = new TranslatedOperation(this);
    }

    internal Socket Socket { get; }

    /// <summary>Whether the socket's end was met. SslStream does not read on after close_notify, so this is a truncation.</summary>
    internal bool Ended => _ended;

    /// <summary>The bytes that may still come in; more are an error. A handshake is held to a few kilobytes with it.</summary>
    internal long MayReceiveBytes
    {
        set => _mayReceiveBytes = value;
    }

    /// <summary>How much of the last <see cref="ReceiveAhead"/> was not handed out yet.</summary>
    internal int AheadBytes => _ahead.Length;

    /// <summary>Whether what is ahead completes a record: then SslStream gets through to it without waiting.</summary>
    internal bool HasRecordAhead => _records.EndsWithin(_ahead.Span);

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (!_ahead.IsEmpty)
        {
            return new ValueTask<int>(TakeAhead(buffer.Span));
        }

        _receiving = buffer;
        var receive = SocketErrors.ReceiveAsync(Socket, buffer, cancellationToken);
        return buffer.IsEmpty ? _read.Wait(receive, Socket, cancellationToken) : _read.Count(receive, -buffer.Length);
    }

    /// <summary>
    /// Receives into <paramref name="buffer"/> what is there already; reads get it from there until <see cref="KeepAhead"/>.
    /// Returns 0 for nothing, an end or an error, which the next read meets again.
    /// </summary>
    internal unsafe int ReceiveAhead(Memory<byte> buffer)
    {
        if (!_ahead.IsEmpty)
        {
            return 0;
        }

        try
        {
            fixed (byte* start = buffer.Span)
            {
                nint count = Libc.recv(Socket.SafeHandle, start, (nuint)buffer.Length, Libc.MSG_DONTWAIT);
                if (count <= 0)
                {
                    return 0;
                }

                _ahead = buffer[..(int)count];
                return (int)count;
            }
        }
        catch (ObjectDisposedException)
        {
            return 0;
        }
    }

    /// <summary>The buffer of <see cref="ReceiveAhead"/> goes back to its owner: what is left in it, a part of a record, is kept here.</summary>
    internal void KeepAhead()
    {
        if (!_ahead.IsEmpty && _kept is null)
        {
            _kept = ArrayPool<byte>.Shared.Rent(_ahead.Length);
            _ahead.CopyTo(_kept);
            _ahead = _kept.AsMemory(0, _ahead.Length);
        }
    }

    private int TakeAhead(Span<byte> buffer)
    {
        int count = Math.Min(buffer.Length, _ahead.Length);
        var taken = _ahead.Span[..count];
        taken.CopyTo(buffer);
        _records.Advance(taken);
        _ahead = _ahead[count..];
        if (_ahead.IsEmpty && _kept is { } kept)
        {
            _kept = null;
            _ahead = default;
            ArrayPool<byte>.Shared.Return(kept);
        }

        return count;
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_gather is not null)
        {
            buffer.Span.CopyTo(_gather.AsSpan(_gatheredBytes));
            _gatheredBytes += buffer.Length;
            return ValueTask.CompletedTask;
        }

        return _write.Run(SocketErrors.SendAsync(Socket, buffer, cancellationToken), buffer.Length);
    }

    /// <summary>Writes from now on go into <paramref name="buffer"/>, which must have room for all of them.</summary>
    internal void BeginGather(byte[] buffer)
    {
        _gather = buffer;
        _gatheredBytes = 0;
    }

    /// <summary>Ends gathering. What was gathered, to be sent with <see cref="WriteAsync(ReadOnlyMemory{byte}, CancellationToken)"/>.</summary>
    internal ReadOnlyMemory<byte> EndGather()
    {
        var gathered = _gather.AsMemory(0, _gatheredBytes);
        _gather = null;
        return gathered;
    }

    int IOperationOwner.Check(int result, int asked)
    {
        // A receive asks for minus so many bytes: 0 for more than 0 is the end.
        if (asked >= 0)
        {
            SocketErrors.CheckSent(result, asked);
            return result;
        }

        if (result == 0)
        {
            _ended = true;
        }

        _records.Advance(_receiving.Span[..result]);
        _receiving = default;
        _mayReceiveBytes -= result;
        return _mayReceiveBytes >= 0 ? result : throw new IOException("The peer sent more than a handshake can need.");
    }

    Exception? IOperationOwner.Translate(Exception error) => SocketErrors.TryTranslate(error, aborted: false);

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            Socket.Dispose();
        }

        base.Dispose(disposing);
    }
}
