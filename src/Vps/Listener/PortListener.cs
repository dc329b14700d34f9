using Aggregator.Vps.Egress;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using Aggregator.Flows;
using Aggregator.Identity;
using Aggregator.Relay;
using Aggregator.Vps.Configuration;
using Aggregator.Vps.Pairing;
using Aggregator.Vps.Sessions;
using Aggregator.Vps.Speed;
using Microsoft.Extensions.Logging;

namespace Aggregator.Vps.Listener;

/// <summary>
/// The one port. accept → bounded by <see cref="Admission"/> → TLS (or the plain preface) within <see cref="HandshakeTime"/> → by ALPN
/// to Kestrel (`h2`), the flow server (`aggregator/1`) or the trunks (`aggregator-trunk/1`). Whoever is not known gets Kestrel's Pairing service and nothing else,
/// and whatever goes wrong before that ends in a close without a word.
/// </summary>
internal sealed class PortListener(
    VpsConfigSource config,
    IdentityKey identity,
    PairedGateways paired,
    GatewaySessions sessions,
    PlainSessions plainSessions,
    FlowServer flows,
    SpeedServer speed,
    TrunkServer trunks,
    KestrelHandoff kestrel,
    TimeProvider time,
    ILogger<PortListener> logger)
{
    /// <summary>For everything until the peer is known, however slowly it sends.</summary>
    internal static readonly TimeSpan HandshakeTime = TimeSpan.FromSeconds(10);

    /// <summary>What somebody unknown has for pairing.</summary>
    internal static readonly TimeSpan UnknownPeerTime = TimeSpan.FromSeconds(30);

    /// <summary>For connections to end when the daemon stops; those handed to Kestrel end with it.</summary>
    private static readonly TimeSpan StopTime = TimeSpan.FromSeconds(3);

    /// <summary>No descriptors or memory: others may free some.</summary>
    private static readonly TimeSpan AcceptPause = TimeSpan.FromMilliseconds(100);

    private readonly SslServerAuthenticationOptions _tls =
        PinnedTls.ServerOptions(identity, PinnedTls.Grpc, PinnedTls.Lane, PinnedTls.TrunkLane, PinnedTls.Speed);

    private readonly FloodReport _floods = new(time, logger);
    private readonly TaskCompletionSource _lastEnded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _lastId;

    /// <summary>Connections being served, and one for the accept loop itself.</summary>
    private int _serving = 1;

    internal Admission Admission { get; } = new();

    /// <summary>
    /// Accepts until told to stop, and returns when the last connection has ended: each flow is reset on both sides, so that nobody takes
    /// half a transfer for a whole one. Once. The socket stays the caller's.
    /// </summary>
    internal async Task RunAsync(Socket listener, CancellationToken stopping)
    {
        await AcceptAsync(listener, stopping);
        Leave();
        await Task.WhenAny(_lastEnded.Task, Task.Delay(StopTime, time, CancellationToken.None));
    }

    private async Task AcceptAsync(Socket listener, CancellationToken stopping)
    {
        bool failing = false;
        while (!stopping.IsCancellationRequested)
        {
            Socket socket;
            try
            {
                socket = await listener.AcceptAsync(stopping);
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.ConnectionAborted or SocketError.ConnectionReset)
            {
                continue;
            }
            catch (SocketException e)
            {
                // EMFILE, ENFILE, ENOBUFS, ENOMEM: the connection stays in the backlog meanwhile.
                if (!failing)
                {
                    logger.AcceptFailing(e.Message);
                    failing = true;
                }

                await Task.WhenAny(Task.Delay(AcceptPause, time, stopping));
                continue;
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (Exception e)
            {
                // Ours, or the runtime's in want of descriptors: the loop goes on in any case.
                logger.ConnectionFault(e);
                await Task.WhenAny(Task.Delay(AcceptPause, time, stopping));
                continue;
            }

            if (failing)
            {
                logger.AcceptRecovered();
                failing = false;
            }

            Interlocked.Increment(ref _serving);
            // Off this loop: a handshake computes for about a millisecond before it first waits.
            ThreadPool.UnsafeQueueUserWorkItem(
                static s => _ = s.Listener.TakeAsync(s.Socket, s.Stopping),
                (Listener: this, Socket: socket, Stopping: stopping),
                preferLocal: false);
        }
    }

    private async Task TakeAsync(Socket socket, CancellationToken stopping)
    {
        try
        {
            if (socket.RemoteEndPoint is not IPEndPoint remote)
            {
                socket.Dispose();
                return;
            }

            remote = remote.Address.IsIPv4MappedToIPv6 ? new IPEndPoint(remote.Address.MapToIPv4(), remote.Port) : remote;
            using var place = Admission.TryEnter(remote.Address);
            if (place is null)
            {
                _floods.Count(remote.Address);
                SocketErrors.CloseWithReset(socket);
                return;
            }

            await ServeAsync(socket, remote, place, stopping);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Gone before its first byte.
            socket.Dispose();
        }
        catch (Exception e)
        {
            logger.ConnectionFault(e);
            socket.Dispose();
        }
        finally
        {
            Leave();
        }
    }

    private void Leave()
    {
        if (Interlocked.Decrement(ref _serving) == 0)
        {
            _lastEnded.TrySetResult();
        }
    }

    private async Task ServeAsync(Socket socket, IPEndPoint remote, Admission.Place place, CancellationToken stopping)
    {
        socket.NoDelay = true;
        KeepAlive.Set(socket);

        IByteStream stream;
        KeyPin pin;
        PlainConnectionKind? plain;
        try
        {
            using var limit = new CancellationTokenSource(HandshakeTime, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping, limit.Token);
            (stream, pin, plain) = await IntroduceAsync(socket, either.Token);
        }
        catch (Exception e) when (e is IOException or AuthenticationException or OperationCanceledException)
        {
            logger.Turned(remote.Address, e is OperationCanceledException ? "it took too long" : e.Message);
            SocketErrors.CloseWithReset(socket);
            return;
        }

        if (stream is TlsByteStream tls && tls.Tls.NegotiatedApplicationProtocol == PinnedTls.Grpc)
        {
            await HandOverAsync(tls, pin, remote, place, stopping);
            return;
        }

        SslApplicationProtocol? spoken = (stream as TlsByteStream)?.Tls.NegotiatedApplicationProtocol;
        bool test = spoken == PinnedTls.Speed;
        bool isLane = plain == PlainConnectionKind.TrunkLane || spoken == PinnedTls.TrunkLane;
        var connection = new LiveConnection(remote.Address, stream.Abort, socket) { IsLane = isLane };
        if ((!test && !isLane && spoken is not null && spoken != PinnedTls.Lane)
            || sessions.Enter(pin, connection) is not { } gateway)
        {
            logger.Turned(remote.Address, "its key is not paired, or it speaks no protocol of ours");
            stream.Abort();
            return;
        }

        place.Dispose();
        Admission.AddKnown(remote.Address);
        try
        {
            await (test ? speed.ServeAsync(stream, socket, pin, stopping)
                : isLane ? trunks.ServeAsync(stream, socket, gateway, stopping)
                : flows.ServeAsync(stream, socket, gateway, stopping));
        }
        finally
        {
            Admission.RemoveKnown(remote.Address);
            gateway.Remove(connection);
        }
    }

    /// <summary>Finds out who is there.</summary>
    /// <returns>The kind where the connection has no cipher; TLS says it by ALPN.</returns>
    private async Task<(IByteStream Stream, KeyPin Pin, PlainConnectionKind? Plain)> IntroduceAsync(Socket socket, CancellationToken cancellationToken)
    {
        if (config.Current.AllowPlain)
        {
            byte[] first = new byte[1];
            if (await socket.ReceiveAsync(first, SocketFlags.Peek, cancellationToken) == 1 && first[0] == PlainPreface.FirstByte)
            {
                var plain = new SocketByteStream(socket);
                byte[] preface = new byte[PlainPreface.Bytes];
                await plain.ReadExactlyAsync(preface, cancellationToken);
                return plainSessions.Accept(preface) is { } proven
                    ? (plain, proven, PlainPreface.KindOf(preface))
                    : throw new IOException("a preface that proves nothing");
            }
        }

        var tls = await TlsByteStream.AcceptAsync(socket, _tls, cancellationToken);
        return (tls, PinnedTls.PeerPin(tls.Tls), null);
    }

    private async Task HandOverAsync(TlsByteStream tls, KeyPin pin, IPEndPoint remote, Admission.Place place, CancellationToken stopping)
    {
        string id = "port-" + Interlocked.Increment(ref _lastId);
        var connection = new PeerConnection(id, tls, pin, remote, paired);
        var live = new LiveConnection(remote.Address, () => connection.Abort(new("The gateway is not paired any more.")));
        var gateway = sessions.Enter(pin, live);
        if (!kestrel.TryHandOver(connection))
        {
            connection.Abort(new("Too many connections wait."));
            await connection.DisposeAsync();
        }

        try
        {
            if (gateway is null)
            {
                // Keeps its place among the unknown for as long as it lasts.
                await Task.WhenAny(connection.Ended, Task.Delay(UnknownPeerTime, time, stopping));
                connection.Abort(new("Time for pairing is over."));
                return;
            }

            place.Dispose();
            Admission.AddKnown(remote.Address);
            // Kestrel ends it in good order when the daemon stops, after this loop.
            await Task.WhenAny(connection.Ended, Task.Delay(Timeout.InfiniteTimeSpan, stopping));
            Admission.RemoveKnown(remote.Address);
        }
        finally
        {
            gateway?.Remove(live);
        }
    }
}
