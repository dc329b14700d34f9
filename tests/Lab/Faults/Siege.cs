using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Aggregator.Lab.Topology;

namespace Aggregator.Lab.Faults;

/// <summary>
/// Transfers that go on and on through the gateway's SOCKS5 server to an echo server, every byte of them checked, and flows that only wait.
/// Tells how long each reader went without a byte, and what broke.
/// </summary>
internal sealed class Siege : IAsyncDisposable
{
    private const int EchoPort = 5400;
    private const int BufferBytes = 16 * 1024;

    /// <summary>
    /// Of each transfer under way and not back yet. Without a bound it is megabytes in the buffers of six hosts and programs, and the end of a
    /// transfer would wait for minutes on lines of a few Mbit/s.
    /// </summary>
    private const int MostUnderWay = 128 * 1024;

    /// <summary>Shorter ones are everyday.</summary>
    private static readonly TimeSpan LeastGap = TimeSpan.FromMilliseconds(20);

    private static readonly TimeSpan OpenTime = TimeSpan.FromSeconds(60);

    private readonly NetworkLab _lab;
    private readonly IPEndPoint _socks;
    private readonly Socket _listener;
    private readonly CancellationTokenSource _serving = new();
    private readonly ConcurrentDictionary<string, int> _errors = new();
    private readonly List<Transfer> _transfers = [];
    private readonly List<Socket> _idle = [];
    private int _idleBroken;

    private Siege(NetworkLab lab, IPEndPoint socks)
    {
        (_lab, _socks) = (lab, socks);
        _listener = lab.Internet.InNamespace(() =>
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            socket.SetRawSocketOption(1, 2, BitConverter.GetBytes(1)); // SO_REUSEADDR: the last one's connections may linger.
            socket.Bind(new IPEndPoint(IPAddress.Any, EchoPort));
            socket.Listen(1024);
            return socket;
        });
        _ = ServeAsync(_serving.Token);
    }

    /// <summary>What went wrong, each kind once, with its number.</summary>
    internal IReadOnlyDictionary<string, int> Errors => _errors;

    /// <summary>All are open and have had an answer.</summary>
    internal static async Task<Siege> BeginAsync(NetworkLab lab, IPEndPoint socks, int transfers, int idle)
    {
        var siege = new Siege(lab, socks);
        try
        {
            using var limit = new CancellationTokenSource(OpenTime);
            Socket[] sockets = await Task.WhenAll(Enumerable.Range(0, transfers + idle).Select(_ => siege.ConnectAsync(limit.Token)));
            siege._idle.AddRange(sockets[transfers..]);
            await Task.WhenAll(siege._idle.Select((s, i) => EchoOnceAsync(s, i, limit.Token)));
            siege._transfers.AddRange(sockets[..transfers].Select((s, i) => new Transfer(s, (ulong)i)));
            return siege;
        }
        catch
        {
            await siege.DisposeAsync();
            throw;
        }
    }

    /// <summary>The longest time without a byte of each transfer's reader that reached into the time between two moments (of Stopwatch).</summary>
    internal IReadOnlyList<TimeSpan> LongestGaps(long from, long to) => [.. _transfers.Select(t => t.LongestGap(from, to)).Order()];

    /// <summary>Ends every transfer in good order and asks every waiting flow again.</summary>
    /// <returns>Transfers and waiting flows that broke, or did not end in time.</returns>
    internal async Task<(int Transfers, int Idle)> EndAsync(TimeSpan atMost)
    {
        using var limit = new CancellationTokenSource(atMost);
        await Task.WhenAll(_transfers.Select(t => t.EndAsync(limit.Token)));
        foreach (string error in _transfers.Select(t => t.Error).OfType<string>())
        {
            _errors.AddOrUpdate($"transfer: {error}", 1, (_, n) => n + 1);
        }

        using var idleLimit = new CancellationTokenSource(atMost);
        await Task.WhenAll(_idle.Select(async (s, i) =>
        {
            try
            {
                await EchoOnceAsync(s, i + 1000, idleLimit.Token);
            }
            catch (Exception e) when (e is IOException or SocketException or OperationCanceledException)
            {
                Interlocked.Increment(ref _idleBroken);
                _errors.AddOrUpdate($"waiting flow: {(e is OperationCanceledException ? "no answer" : e.Message)}", 1, (_, n) => n + 1);
            }
        }));
        return (_transfers.Count(t => t.Error is not null), _idleBroken);
    }

    public async ValueTask DisposeAsync()
    {
        await _serving.CancelAsync();
        _listener.Dispose();
        foreach (Transfer transfer in _transfers)
        {
            transfer.Socket.Dispose();
        }

        foreach (Socket socket in _idle)
        {
            socket.Dispose();
        }

        _serving.Dispose();
    }

    private static async Task EchoOnceAsync(Socket socket, int seed, CancellationToken cancellationToken)
    {
        byte[] message = new byte[64];
        new Random(seed).NextBytes(message);
        await socket.SendAsync(message, cancellationToken);
        byte[] answer = new byte[message.Length];
        await ReadAsync(socket, answer, cancellationToken);
        if (!answer.AsSpan().SequenceEqual(message))
        {
            throw new IOException("other bytes came back");
        }
    }

    private static async Task ReadAsync(Socket socket, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        while (!buffer.IsEmpty)
        {
            int read = await socket.ReceiveAsync(buffer, cancellationToken);
            buffer = read > 0 ? buffer[read..] : throw new EndOfStreamException("it was ended");
        }
    }

    private async Task<Socket> ConnectAsync(CancellationToken cancellationToken)
    {
        Socket socket = _lab.Client.InNamespace(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true });
        await socket.ConnectAsync(_socks, cancellationToken);
        // SOCKS5 without authentication, CONNECT to an IPv4 address (RFC 1928).
        await socket.SendAsync(new byte[] { 5, 1, 0 }, cancellationToken);
        await ReadAsync(socket, new byte[2], cancellationToken);
        await socket.SendAsync(
            (byte[])[5, 1, 0, 1, .. LabAddresses.Internet.GetAddressBytes(), EchoPort >> 8, EchoPort & 0xFF], cancellationToken);
        byte[] reply = new byte[10];
        await ReadAsync(socket, reply, cancellationToken);
        return reply[1] == 0 ? socket : throw new IOException($"SOCKS5 answered {reply[1]}");
    }

    private async Task ServeAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                _ = EchoAsync(await _listener.AcceptAsync(cancellationToken), cancellationToken);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // Over.
        }
    }

    private static async Task EchoAsync(Socket socket, CancellationToken cancellationToken)
    {
        using (socket)
        {
            try
            {
                byte[] buffer = new byte[BufferBytes];
                int read;
                while ((read = await socket.ReceiveAsync(buffer.AsMemory(), cancellationToken)) > 0)
                {
                    for (int sent = 0; sent < read;)
                    {
                        sent += await socket.SendAsync(buffer.AsMemory(sent, read - sent), cancellationToken);
                    }
                }

                socket.Shutdown(SocketShutdown.Send);
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException)
            {
                // The client tells.
            }
        }
    }

    /// <summary>One stream of bytes that can be computed anew from their place, sent and checked at once.</summary>
    private sealed class Transfer
    {
        private readonly ulong _stream;
        private readonly Task _sending;
        private readonly Task _reading;
        private readonly Lock _lock = new();
        private readonly List<(long From, long To)> _gaps = [];
        private readonly SemaphoreSlim _room = new(0, 1);
        private long _last = Stopwatch.GetTimestamp();
        private long _sent;
        private long _got;
        private volatile bool _stop;
        private volatile string? _error;

        internal Transfer(Socket socket, ulong stream)
        {
            (Socket, _stream) = (socket, stream);
            _sending = Task.Run(SendAsync);
            _reading = Task.Run(ReadAsync);
        }

        internal Socket Socket { get; }

        internal string? Error => _error;

        internal TimeSpan LongestGap(long from, long to)
        {
            lock (_lock)
            {
                return _gaps.Append((From: _last, To: Stopwatch.GetTimestamp()))
                    .Where(g => g.To > from && g.From < to)
                    .Select(g => Stopwatch.GetElapsedTime(g.From, g.To))
                    .DefaultIfEmpty(TimeSpan.Zero)
                    .Max();
            }
        }

        internal async Task EndAsync(CancellationToken cancellationToken)
        {
            _stop = true;
            WakeSender();
            try
            {
                await Task.WhenAll(_sending, _reading).WaitAsync(cancellationToken);
            }
            catch (OperationCanceledException)
            {
                _error ??= "it did not end in time";
            }
        }

        private async Task SendAsync()
        {
            try
            {
                byte[] buffer = new byte[BufferBytes];
                while (!_stop)
                {
                    if (_sent - Volatile.Read(ref _got) > MostUnderWay)
                    {
                        await _room.WaitAsync();
                        continue;
                    }

                    PatternBytes.Fill(buffer, _stream, _sent);
                    for (int part = 0; part < buffer.Length;)
                    {
                        int now = await Socket.SendAsync(buffer.AsMemory(part), SocketFlags.None);
                        part += now;
                        Volatile.Write(ref _sent, _sent + now);
                    }
                }

                Socket.Shutdown(SocketShutdown.Send);
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                _error ??= e.Message;
            }
        }

        private async Task ReadAsync()
        {
            byte[] buffer = new byte[BufferBytes], expected = new byte[BufferBytes];
            try
            {
                while (true)
                {
                    int read = await Socket.ReceiveAsync(buffer.AsMemory(), SocketFlags.None);
                    long now = Stopwatch.GetTimestamp();
                    lock (_lock)
                    {
                        if (Stopwatch.GetElapsedTime(_last, now) >= LeastGap)
                        {
                            _gaps.Add((_last, now));
                        }

                        _last = now;
                    }

                    if (read == 0)
                    {
                        _error ??= !_stop || _got != Volatile.Read(ref _sent) ? $"it was ended after {_got} of {_sent} bytes" : null;
                        return;
                    }

                    PatternBytes.Fill(expected.AsSpan(0, read), _stream, _got);
                    if (!expected.AsSpan(0, read).SequenceEqual(buffer.AsSpan(0, read)))
                    {
                        _error = "WRONG BYTES came back";
                        return;
                    }

                    Volatile.Write(ref _got, _got + read);
                    WakeSender();
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                _error ??= e.Message;
            }
            finally
            {
                _stop = true;
                WakeSender();
            }
        }

        private void WakeSender()
        {
            lock (_room)
            {
                if (_room.CurrentCount == 0)
                {
                    _room.Release();
                }
            }
        }
    }
}
