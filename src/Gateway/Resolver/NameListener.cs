using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Aggregator.DnsWire;
using Aggregator.Mptcp;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Resolver;

/// <summary>One address of the LAN's name server, over UDP and TCP. Who is no client of ours gets no answer: an open resolver serves attackers.</summary>
/// <param name="isClient">Whether questions from there are answered.</param>
internal sealed class NameListener(IPEndPoint listen, NameDesk desk, Func<IPAddress, bool> isClient, ResolverLimits limits, TimeProvider time, ILogger logger)
    : IAsyncDisposable
{
    /// <summary>The kernel's queue of connections not accepted yet.</summary>
    private const int Backlog = 128;

    /// <summary>After an accept that failed for want of descriptors or memory.</summary>
    private static readonly TimeSpan AcceptPause = TimeSpan.FromMilliseconds(200);

    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<IPAddress, int> _connections = new();
    private Socket? _udp;
    private Socket? _tcp;
    private Task _loops = Task.CompletedTask;
    private int _connected;

    internal IPEndPoint EndPoint => (IPEndPoint?)_udp?.LocalEndPoint ?? listen;

    /// <exception cref="SocketException">The address cannot be listened on.</exception>
    internal void Start()
    {
        _tcp = TcpSocket.Listen(listen, Backlog, SocketOptions.SetFreeBind);
        _udp = new Socket(listen.AddressFamily, SocketType.Dgram, ProtocolType.Udp) { ReceiveBufferSize = limits.SocketBytes };
        SocketOptions.SetFreeBind(_udp);
        _udp.Bind(_tcp.LocalEndPoint!);
        logger.DnsListening(EndPoint);
        _loops = Task.WhenAll(Task.Run(RunUdpAsync), Task.Run(RunTcpAsync));
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _udp?.Dispose();
        _tcp?.Dispose();
        await _loops;
        _stop.Dispose();
    }

    private async Task RunUdpAsync()
    {
        var socket = _udp!;
        byte[] buffer = new byte[limits.MaxUdpQuestionBytes];
        var any = new IPEndPoint(listen.AddressFamily == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any, 0);
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                var came = await socket.ReceiveFromAsync(buffer, SocketFlags.None, any, _stop.Token);
                var client = (IPEndPoint)came.RemoteEndPoint;

                // No port 0: nobody listens there, and forged questions have it.
                if (!isClient(client.Address) || client.Port == 0)
                {
                    desk.Counts.Dropped();
                    continue;
                }

                _ = AnswerUdpAsync(socket, buffer[..came.ReceivedBytes], client);
            }
            catch (SocketException) when (!_stop.IsCancellationRequested)
            {
                // An ICMP error of an answer that nobody waited for.
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException or SocketException)
            {
                return;
            }
        }
    }

    private async Task AnswerUdpAsync(Socket socket, byte[] query, IPEndPoint client)
    {
        try
        {
            if (await desk.AnswerAsync(query, client.Address) is { } answer)
            {
                int most = Math.Min(DnsMessage.UdpBytes(query), limits.MaxUdpAnswerBytes);
                await socket.SendToAsync(answer.Length <= most ? answer : DnsMessage.TruncatedReply(query), client, _stop.Token);
            }
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The client is gone, or we are.
        }
        catch (Exception e)
        {
            logger.ResolverFault(e);
        }
    }

    private async Task RunTcpAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                var client = await _tcp!.AcceptAsync(_stop.Token);
                _ = ServeAsync(client);
            }
            catch (SocketException) when (!_stop.IsCancellationRequested)
            {
                await Task.Delay(AcceptPause, time, CancellationToken.None);
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException or SocketException)
            {
                return;
            }
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        using var _ = socket;
        if (!TryName(socket, out var client) || !isClient(client) || !TryEnter(client))
        {
            desk.Counts.Dropped();
            return;
        }

        try
        {
            await AnswerAllAsync(socket, client);
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // Gone, silent for too long, or the end.
        }
        catch (Exception e)
        {
            logger.ResolverFault(e);
        }
        finally
        {
            Leave(client);
        }
    }

    /// <summary>False: it is gone already.</summary>
    private static bool TryName(Socket socket, out IPAddress client)
    {
        client = IPAddress.None;
        try
        {
            client = ((IPEndPoint)socket.RemoteEndPoint!).Address;
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    [System.Diagnostics.CodeAnalysis.SuppressMessage("Reliability", "CA2025", Justification = "The end waits until every answer has given its place back.")]
    private async Task AnswerAllAsync(Socket socket, IPAddress client)
    {
        using var places = new SemaphoreSlim(limits.MaxPipelined);
        using var writing = new SemaphoreSlim(1);
        try
        {
            while (await ReadQuestionAsync(socket) is { } query)
            {
                await places.WaitAsync(_stop.Token);
                _ = AnswerTcpAsync(socket, query, client, places, writing);
            }
        }
        finally
        {
            // What is under way still uses them, and is bounded in time.
            for (int i = 0; i < limits.MaxPipelined; i++)
            {
                await places.WaitAsync(CancellationToken.None);
            }
        }
    }

    /// <returns>Null: the client has ended.</returns>
    private async Task<byte[]?> ReadQuestionAsync(Socket socket)
    {
        using var limit = new CancellationTokenSource(limits.ConnectionIdle, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, _stop.Token);
        byte[] length = new byte[2];
        if (!await ReadAsync(socket, length, either.Token))
        {
            return null;
        }

        byte[] query = new byte[BinaryPrimitives.ReadUInt16BigEndian(length)];
        return await ReadAsync(socket, query, either.Token) ? query : null;
    }

    private async Task AnswerTcpAsync(Socket socket, byte[] query, IPAddress client, SemaphoreSlim places, SemaphoreSlim writing)
    {
        try
        {
            if (await desk.AnswerAsync(query, client) is { } answer)
            {
                await writing.WaitAsync(_stop.Token);
                try
                {
                    using var limit = new CancellationTokenSource(limits.ConnectionIdle, time);
                    await socket.SendAsync(DnsClient.Framed(answer), limit.Token);
                }
                finally
                {
                    writing.Release();
                }
            }
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The client does not read, or is gone: so is its connection.
            socket.Close(0);
        }
        catch (Exception e)
        {
            logger.ResolverFault(e);
        }
        finally
        {
            places.Release();
        }
    }

    private bool TryEnter(IPAddress client)
    {
        if (Interlocked.Increment(ref _connected) > limits.MaxConnections)
        {
            Interlocked.Decrement(ref _connected);
            return false;
        }

        if (_connections.AddOrUpdate(client, 1, static (_, n) => n + 1) > limits.MaxConnectionsOfClient)
        {
            Leave(client);
            return false;
        }

        return true;
    }

    private void Leave(IPAddress client)
    {
        Interlocked.Decrement(ref _connected);
        if (_connections.AddOrUpdate(client, 0, static (_, n) => n - 1) <= 0)
        {
            _connections.TryRemove(new(client, 0));
        }
    }

    private static async Task<bool> ReadAsync(Socket socket, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        while (buffer.Length > 0)
        {
            int count = await socket.ReceiveAsync(buffer, cancellationToken);
            if (count == 0)
            {
                return false;
            }

            buffer = buffer[count..];
        }

        return true;
    }
}
