using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;

namespace Aggregator.Benchmarks.Load;

/// <summary>One bulk stream whose reader writes down when its bytes came. Blocking calls only, see <see cref="BulkServer"/>.</summary>
internal static class TraceClient
{
    internal const int BinMs = 100;

    /// <summary>A server's report is a few kilobytes.</summary>
    private const int MostReportBytes = 1 << 20;

    /// <summary>What a transfer may take beyond its length before it counts as hung.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(30);

    internal static TraceResult Run(IPEndPoint target, IPEndPoint? socks, LoadKind kind, TimeSpan length)
    {
        using Socket socket = Dialer.Connect(target, socks);
        using var hung = new Timer(s => ((Socket)s!).Dispose(), socket, length + Grace, Timeout.InfiniteTimeSpan);
        socket.Send(new LoadRequest(kind, TimeSpan.Zero, length).ToBytes());
        byte[] buffer = new byte[BulkServer.BufferBytes];
        if (kind == LoadKind.Down)
        {
            var trace = new StreamTrace(BinMs, length);
            while (!trace.IsOver)
            {
                int read = socket.Receive(buffer);
                trace.Add(read > 0 ? read : throw new EndOfStreamException("the download ended before its time"));
            }

            return trace.ToResult();
        }

        while (socket.Available < sizeof(int))
        {
            socket.Send(buffer);
        }

        byte[] head = new byte[sizeof(int)];
        if (!Dialer.TryReceive(socket, head) || BinaryPrimitives.ReadInt32BigEndian(head) is var size && size is <= 0 or > MostReportBytes)
        {
            throw new EndOfStreamException("the upload's server closed before it reported");
        }

        byte[] report = new byte[size];
        return Dialer.TryReceive(socket, report) && JsonSerializer.Deserialize<TraceResult>(report, Generator.Json) is { } result
            ? result
            : throw new EndOfStreamException("the upload's server closed within its report");
    }
}
