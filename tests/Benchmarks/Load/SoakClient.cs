using Aggregator.Lab.Faults;
using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Aggregator.Benchmarks.Load;

/// <param name="Finished">Streams whose echo was byte-exact to its end.</param>
/// <param name="Broken">Streams that ended before, by what they said.</param>
/// <param name="WrongBytes">Streams that returned other bytes than were sent: never right.</param>
/// <param name="LongestGapMs">The longest time in which a stream that had something to come got nothing.</param>
internal sealed record SoakResult(int Finished, int Broken, int WrongBytes, long Bytes, double LongestGapMs, IReadOnlyDictionary<string, int> Errors);

/// <summary>Streams of random length, one after the other on several tracks; each sends what can be computed anew from its place, and checks every byte of the echo.</summary>
internal sealed class SoakClient(IPEndPoint target, IPEndPoint? socks, int seed)
{
    private const int LeastBytes = 1000;
    private const int MostBytes = 20_000_000;

    private readonly ConcurrentDictionary<string, int> _errors = new();
    private int _finished;
    private int _broken;
    private int _wrong;
    private long _bytes;
    private double _longestGapMs;

    internal async Task<SoakResult> RunAsync(int tracks, TimeSpan length, CancellationToken cancellationToken)
    {
        long begin = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, tracks).Select(track => Task.Run(
            async () =>
            {
                var random = new Random(seed + track);
                for (int n = 0; Stopwatch.GetElapsedTime(begin) < length; n++)
                {
                    // Evenly over magnitudes.
                    int bytes = (int)(LeastBytes * Math.Pow((double)MostBytes / LeastBytes, random.NextDouble()));
                    await StreamAsync((ulong)((track << 20) + n), bytes, cancellationToken);
                }
            },
            cancellationToken)));
        return new SoakResult(_finished, _broken, _wrong, _bytes, _longestGapMs, _errors);
    }

    private async Task StreamAsync(ulong stream, int bytes, CancellationToken cancellationToken)
    {
        try
        {
            using Socket socket = await Dialer.ConnectAsync(target, socks, cancellationToken);
            Task sending = SendAsync(socket, stream, bytes, cancellationToken);
            bool right = await CheckAsync(socket, stream, bytes, cancellationToken);
            await sending;
            Interlocked.Add(ref _bytes, 2L * bytes);
            Interlocked.Increment(ref right ? ref _finished : ref _wrong);
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            Interlocked.Increment(ref _broken);
            _errors.AddOrUpdate(e.Message, 1, (_, n) => n + 1);
        }
    }

    private static async Task SendAsync(Socket socket, ulong stream, int bytes, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[64 * 1024];
        for (int sent = 0; sent < bytes;)
        {
            int now = Math.Min(buffer.Length, bytes - sent);
            PatternBytes.Fill(buffer.AsSpan(0, now), stream, sent);
            for (int part = 0; part < now;)
            {
                part += await socket.SendAsync(buffer.AsMemory(part, now - part), cancellationToken);
            }

            sent += now;
        }

        socket.Shutdown(SocketShutdown.Send);
    }

    private async Task<bool> CheckAsync(Socket socket, ulong stream, int bytes, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[64 * 1024], expected = new byte[64 * 1024];
        int got = 0;
        while (true)
        {
            long began = Stopwatch.GetTimestamp();
            int read = await socket.ReceiveAsync(buffer.AsMemory(), cancellationToken);
            double gap = Stopwatch.GetElapsedTime(began).TotalMilliseconds;
            lock (_errors)
            {
                _longestGapMs = Math.Max(_longestGapMs, gap);
            }

            if (read == 0)
            {
                return got == bytes ? true : throw new EndOfStreamException("ended before its time");
            }

            PatternBytes.Fill(expected.AsSpan(0, read), stream, got);
            got += read;
            if (got > bytes || !expected.AsSpan(0, read).SequenceEqual(buffer.AsSpan(0, read)))
            {
                return false;
            }
        }
    }
}
