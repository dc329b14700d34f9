using System.ComponentModel;
using System.Net.Security;
using System.Net.Sockets;
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

    private readonly TlsTransport _transport;
    private readonly TranslatedOperation _read;
    private readonly TranslatedOperation _write;
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
            return stream;
        }
        catch
        {
            await stream.DisposeAsync();
            throw;
        }
    }

    public ValueTask WaitToReadAsync(CancellationToken cancellationToken) =>
        // SslStream passes a read of nothing on to the transport, without a buffer of its own, and decrypts when bytes have come.
        _read.Run(Tls.ReadAsync(Memory<byte>.Empty, cancellationToken), 0);

    public ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken) =>
        _read.Count(Tls.ReadAsync(buffer, cancellationToken), buffer.Length);

    public ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken) =>
        _write.Run(Tls.WriteAsync(buffer, cancellationToken));

    public async ValueTask CompleteWritesAsync(CancellationToken cancellationToken)
    {
        try
        {
            await Tls.ShutdownAsync().WaitAsync(cancellationToken);
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
