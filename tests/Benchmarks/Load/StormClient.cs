using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Aggregator.Benchmarks.Load;

/// <param name="Lost">Flows that failed to open or returned other bytes than were sent.</param>
/// <param name="Seconds">From the first connect until the last echo.</param>
/// <param name="Errors">Each kind once, with its number.</param>
internal sealed record StormResult(
    int Flows, int Lost, double Seconds, double MedianMs, double P99Ms, IReadOnlyDictionary<string, int> Errors);

/// <summary>Thousands of flows opened at once; each sends a few bytes of its own, checks their echo, and then stays.</summary>
internal sealed class StormClient(IPEndPoint target, IPEndPoint? socks)
{
    private const int MessageBytes = 64;

    private readonly ConcurrentBag<Socket> _open = [];

    internal Task<StormResult> OpenAsync(int flows, TimeSpan limit) => RunAsync(
        flows,
        limit,
        async (_, c) =>
        {
            Socket socket = await Dialer.ConnectAsync(target, socks, c);
            _open.Add(socket);
            return socket;
        });

    /// <summary>The same once more over the flows that are open.</summary>
    internal Task<StormResult> EchoAgainAsync(TimeSpan limit)
    {
        Socket[] sockets = [.. _open];
        return RunAsync(sockets.Length, limit, (i, _) => Task.FromResult(sockets[i]));
    }

    private static async Task<StormResult> RunAsync(int flows, TimeSpan limit, Func<int, CancellationToken, Task<Socket>> get)
    {
        using var timeout = new CancellationTokenSource(limit);
        long start = Stopwatch.GetTimestamp();
        var errors = new ConcurrentDictionary<string, int>();
        var milliseconds = new ConcurrentBag<double>();
        await Task.WhenAll(Enumerable.Range(0, flows).Select(async i =>
        {
            long begin = Stopwatch.GetTimestamp();
            try
            {
                Socket socket = await get(i, timeout.Token);
                byte[] message = new byte[MessageBytes];
                new Random(i).NextBytes(message);
                await socket.SendAsync(message, timeout.Token);
                byte[] echo = await Dialer.ReceiveAsync(socket, message.Length, timeout.Token);
                if (!echo.AsSpan().SequenceEqual(message))
                {
                    throw new IOException("another flow's bytes came back");
                }

                milliseconds.Add(Stopwatch.GetElapsedTime(begin).TotalMilliseconds);
            }
            catch (Exception e) when (e is IOException or SocketException or OperationCanceledException)
            {
                string kind = e is OperationCanceledException ? $"no answer within {limit.TotalSeconds:0} s" : e.Message;
                errors.AddOrUpdate(kind, 1, (_, n) => n + 1);
            }
        }));

        double[] sorted = [.. milliseconds.Order()];
        return new StormResult(
            flows, flows - sorted.Length, Stopwatch.GetElapsedTime(start).TotalSeconds, Percentile(sorted, 0.5), Percentile(sorted, 0.99), errors);
    }

    private static double Percentile(double[] sorted, double part) =>
        sorted.Length == 0 ? 0 : sorted[Math.Min(sorted.Length - 1, (int)(part * sorted.Length))];
}
