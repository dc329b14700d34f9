using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Aggregator.Benchmarks.Load;

/// <summary>Small requests one after the other to an echo server, each on a connection of its own.</summary>
internal static class RequestClient
{
    /// <returns>Of each, the milliseconds from the connect to the answer's last byte.</returns>
    internal static async Task<double[]> RunAsync(
        IPEndPoint target, IPEndPoint? socks, int count, int bytes, TimeSpan pause, CancellationToken cancellationToken)
    {
        var times = new List<double>();
        byte[] message = new byte[bytes];
        for (int i = 0; i < count; i++)
        {
            new Random(i).NextBytes(message);
            long begin = Stopwatch.GetTimestamp();
            using Socket socket = await Dialer.ConnectAsync(target, socks, cancellationToken);
            await socket.SendAsync(message, cancellationToken);
            byte[] echo = await Dialer.ReceiveAsync(socket, bytes, cancellationToken);
            times.Add(Stopwatch.GetElapsedTime(begin).TotalMilliseconds);
            if (!echo.AsSpan().SequenceEqual(message))
            {
                throw new IOException("another flow's bytes came back");
            }

            await Task.Delay(pause, cancellationToken);
        }

        return [.. times];
    }
}
