using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Aggregator.Benchmarks.Load;

/// <param name="Mbps">Sum of what the streams' receivers measured in their windows.</param>
/// <param name="TotalBytes">Everything moved, warm-up included: the divisor for processor time.</param>
/// <param name="StreamMbps">Each stream's own rate.</param>
internal sealed record BulkResult(double Mbps, long TotalBytes, IReadOnlyList<double> StreamMbps);

/// <summary>Bulk transfers of the generator: N streams at once in one direction, a blocking thread each.</summary>
internal static class BulkClient
{
    /// <summary>What a transfer may take beyond its warm-up and window before it counts as hung.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(20);

    internal static async Task<BulkResult> RunAsync(
        IPEndPoint target, IPEndPoint? socks, LoadRequest request, int streams, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(request.WarmUp + request.Window + Grace);
        var transfers = new List<Task<(double Mbps, long Bytes)>>();
        for (int i = 0; i < streams; i++)
        {
            Socket socket = Dialer.Connect(target, socks);
            transfers.Add(Task.Factory.StartNew(
                () => Transfer(socket, request, limit.Token),
                limit.Token,
                TaskCreationOptions.LongRunning,
                TaskScheduler.Default));
        }

        (double Mbps, long Bytes)[] results = await Task.WhenAll(transfers);
        return new BulkResult(results.Sum(r => r.Mbps), results.Sum(r => r.Bytes), [.. results.Select(r => r.Mbps)]);
    }

    private static (double Mbps, long Bytes) Transfer(Socket socket, LoadRequest request, CancellationToken cancellationToken)
    {
        using (socket)
        using (cancellationToken.Register(socket.Dispose))
        {
            socket.Send(request.ToBytes());
            return request.Kind == LoadKind.Down ? Receive(socket, request) : Send(socket);
        }
    }

    private static (double Mbps, long Bytes) Receive(Socket socket, LoadRequest request)
    {
        byte[] buffer = new byte[BulkServer.BufferBytes];
        var meter = new BulkMeter(request.WarmUp, request.Window);
        while (!meter.IsOver)
        {
            int read = socket.Receive(buffer);
            if (read == 0)
            {
                throw new EndOfStreamException("the download ended before its time");
            }

            meter.Add(read);
        }

        return (Mbps(meter.WindowBytes, meter.WindowTime), meter.TotalBytes);
    }

    private static (double Mbps, long Bytes) Send(Socket socket)
    {
        byte[] buffer = new byte[BulkServer.BufferBytes];
        long total = 0;
        // Asked between two sends: a second thread that waits in a receive on the same socket was seen to slow MPTCP down.
        while (socket.Available < LoadRequest.ResultSize)
        {
            total += socket.Send(buffer);
        }

        byte[] result = new byte[LoadRequest.ResultSize];
        if (!Dialer.TryReceive(socket, result))
        {
            throw new EndOfStreamException("the upload's server closed before it reported");
        }

        long bytes = BinaryPrimitives.ReadInt64BigEndian(result);
        long nanoseconds = BinaryPrimitives.ReadInt64BigEndian(result.AsSpan(8));
        return (Mbps(bytes, TimeSpan.FromTicks(nanoseconds / 100)), total);
    }

    private static double Mbps(long bytes, TimeSpan time) => bytes * 8 / time.TotalSeconds / 1e6;
}
