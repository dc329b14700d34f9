using System.ComponentModel;
using System.Net.Security;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Security.Authentication;

namespace Aggregator.Relay;

/// <summary>
/// TLS over a connected socket. The end of a direction is close_notify followed by FIN; a FIN alone is a truncation and an error.
/// Idle it holds no buffer: SslStream gives its own back when it waits for readiness.
/// </summary>
internal sealed class TlsByteStream : IByteStream, IOperationOwner
{
    /// <summary>
    /// What a client may send before it is known: hello, certificate and proof take 2 KiB; what a gateway sends behind them without
    /// waiting (an Open and the flow's first bytes) comes in with the same reads.
    /// </summary>
    private const long MaxHandshakeBytes = 64 * 1024;

    /// <summary>The most plain text in a record (RFC 8446 section 5.1).</summary>
    private const int FullRecordBytes = 16 * 1024;

    /// <summary>The most that a record takes on the wire (section 5.2), rounded up.</summary>
    private const int MaxRecordBytes = FullRecordBytes + 512;

    /// <summary>Reads into smaller buffers than this are one record at a time.</summary>
    private const int MinBatchBytes = 4 * FullRecordBytes;

    private readonly TlsTransport _transport;
    private readonly TranslatedOperation _read;
    private readonly TranslatedOperation _write;

    /// <summary>A read of nothing that is under way already; null mostly. A faulted one is an error that is still to be told.</summary>
    private Task? _ready;

    private int _aborted;

    private TlsByteStream(TlsTransport transport)
    {
        _transport = transport;
        Tls = new SslStream(transport, leaveInnerStreamOpen: false);
        _read = new TranslatedOperation(this);
        _write = new TranslatedOperation(this);
    }

    /// <summary>For the peer's certificate and the agreed protocol; also the plain Stream where one is asked for (HTTP/2).</summary>
    internal SslStream Tls { get; }

    internal Socket Socket => _transport.Socket;

    private bool Aborted => Volatile.Read(ref _aborted) != 0;

    /// <summary>Handshakes as the client. The socket is closed when it fails.</summary>
    /// <exception cref="IOException">The transport failed, or the peer broke off.</exception>
    /// <exception cref="AuthenticationException">The peer is not who it should be, or speaks no TLS that we accept.</exception>
    internal static async Task<TlsByteStream> ConnectAsync(
        Socket socket, SslClientAuthenticationOptions options, CancellationToken cancellationToken)
    {
        var stream = new TlsByteStream(new TlsTransport(socket));
        try
        {
            await stream.Tls.AuthenticateAsClientAsync(options, cancellationToken);
            TlsIdleMemory.Release(stream.Tls);
            return stream;
        }
        catch
        {
            await stream.DisposeAsync();
            throw;
        }
    }

    /// <summary>Handshakes as the server. The socket is closed when it fails. Exceptions as for <see cref="ConnectAsync"/>.</summary>
    internal static async Task<TlsByteStream> AcceptAsync(
        Socket socket, SslServerAuthenticationOptions options, CancellationToken cancellationToken)
    {
        var stream = new TlsByteStream(new TlsTransport(socket) { MayReceiveBytes = MaxHandshakeBytes });
        try
        {
            await stream.Tls.AuthenticateAsServerAsync(options, cancellationToken);
            stream._transport.MayReceiveBytes = long.MaxValue;
            TlsIdleMemory.Release(stream.Tls);
            return stream;
        }
        catch
        {
            await stream.DisposeAsync();
            throw;
        }
    }

    public ValueTask WaitToReadAsync(CancellationToken cancellationToken)
    {
        if (_ready is { } ready)
        {
            return WaitForReadyAsync(ready, cancellationToken);
        }

        // SslStream passes a read of nothing on to the transport, without a buffer of its own, and decrypts when bytes have come.
        return _read.Run(Tls.ReadAsync(Memory<byte>.Empty, cancellationToken), 0);
    }

    public ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (_ready is not null)
        {
            return ReadLaterAsync(buffer, cancellationToken);
        }

        var first = Tls.ReadAsync(buffer, cancellationToken);
        if (buffer.Length < MinBatchBytes || !first.IsCompletedSuccessfully)
        {
            return _read.Count(first, buffer.Length);
        }

        int count = first.Result;
        return count < FullRecordBytes ? _read.Count(new ValueTask<int>(count), buffer.Length) : new ValueTask<int>(FillUp(buffer, count));
    }

    public ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken)
    {
        // SslStream writes to the transport record by record.
        if (buffer.Length <= FullRecordBytes || buffer.Length > RelayBudget.LargeBytes || TlsGatherBuffers.TryRent() is not { } room)
        {
            return _write.Run(Tls.WriteAsync(buffer, cancellationToken));
        }

        ReadOnlyMemory<byte> records;
        try
        {
            _transport.BeginGather(room);
            var encrypt = Tls.WriteAsync(buffer, cancellationToken);
            records = _transport.EndGather();
            if (!encrypt.IsCompletedSuccessfully)
            {
                // Closed or broken: nothing of it was sent. It has nothing to wait for (a renegotiation is no part of TLS 1.3).
                TlsGatherBuffers.Return(room);
                return _write.Run(encrypt);
            }
        }
        catch
        {
            _transport.EndGather();
            TlsGatherBuffers.Return(room);
            throw;
        }

        var send = _write.Run(_transport.WriteAsync(records, cancellationToken));
        if (send.IsCompleted)
        {
            TlsGatherBuffers.Return(room);
            return send;
        }

        return SendGatheredAsync(send, room);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private static async ValueTask SendGatheredAsync(ValueTask send, byte[] room)
    {
        try
        {
            await send;
        }
        finally
        {
            TlsGatherBuffers.Return(room);
        }
    }

    public async ValueTask CompleteWritesAsync(CancellationToken cancellationToken)
    {
        try
        {
            await TlsGate.ShutdownAsync(Tls).WaitAsync(cancellationToken);
            Socket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception e) when (Translate(e) is { } error)
        {
            throw error;
        }
    }

    public void Abort()
    {
        if (Interlocked.Exchange(ref _aborted, 1) == 0)
        {
            SocketErrors.CloseWithReset(Socket);
        }
    }

    private async ValueTask WaitForReadyAsync(Task ready, CancellationToken cancellationToken)
    {
        await ready.WaitAsync(cancellationToken);
        _ready = null;
    }

    private async ValueTask<int> ReadLaterAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        await WaitToReadAsync(cancellationToken);
        return await ReadAsync(buffer, cancellationToken);
    }

    /// <summary>
    /// Records hold 16 KiB, and SslStream reads and gives them one at a time. When a full one has come, what else has come is received at
    /// once into the rest of the caller's buffer and decrypted from there to its front: one receive and one send for a hundred kilobytes
    /// in place of seven each. The plain text never reaches cipher text that is still to be read: it may only take the room in front of it.
    /// </summary>
    private int FillUp(Memory<byte> buffer, int count)
    {
        int start = count + MaxRecordBytes;
        if (start >= buffer.Length || _transport.ReceiveAhead(buffer[start..]) is var received && received == 0)
        {
            return count;
        }

        while (_transport.HasRecordAhead)
        {
            var ready = Tls.ReadAsync(Memory<byte>.Empty, CancellationToken.None);
            if (!ready.IsCompletedSuccessfully)
            {
                // A record without bytes for us, or an error: what was read so far comes first.
                _ready = LookAsync(ready);
                break;
            }

            _ = ready.Result;
            int room = start + received - _transport.AheadBytes - count;
            var more = Tls.ReadAsync(buffer.Slice(count, room), CancellationToken.None);
            if (!more.IsCompletedSuccessfully)
            {
                throw new IOException("TLS had no bytes when it had said that it has.");
            }

            int added = more.Result;
            if (added == 0)
            {
                // The end; the next read meets it again.
                break;
            }

            count += added;
        }

        _transport.KeepAhead();
        return count;
    }

    private async Task LookAsync(ValueTask<int> ready)
    {
        try
        {
            await ready;
        }
        catch (Exception e) when (Translate(e) is { } error)
        {
            throw error;
        }
    }

    public async ValueTask DisposeAsync() => await Tls.DisposeAsync();

    int IOperationOwner.Check(int result, int asked)
    {
        if (result == 0 && asked > 0)
        {
            if (Aborted)
            {
                throw SocketErrors.Aborted();
            }

            if (_transport.Ended)
            {
                throw new IOException("The connection ended without TLS close_notify: what came may be cut short.");
            }
        }

        return result;
    }

    Exception? IOperationOwner.Translate(Exception error) => Translate(error);

    private IOException? Translate(Exception error) => error switch
    {
        IOException or AuthenticationException or Win32Exception or InvalidOperationException when Aborted => SocketErrors.Aborted(),
        IOException => null,
        AuthenticationException or Win32Exception and not SocketException => new IOException("TLS failed: " + error.Message, error),
        _ => SocketErrors.TryTranslate(error, Aborted),
    };
}
