using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;

namespace Aggregator.Benchmarks.Load;

/// <summary>
/// The server of bulk transfers: a blocking thread a connection. Nothing here is asynchronous: once an asynchronous call was made on
/// a socket, .NET takes its blocking calls through epoll as well, which costs.
/// </summary>
internal static class BulkServer
{
    /// <summary>Large enough that system calls are rare, small enough to stay in the cache.</summary>
    internal const int BufferBytes = 128 * 1024;

    /// <summary>Serves until the process ends.</summary>
    internal static void Run(IPEndPoint listen)
    {
        using var listener = new Socket(listen.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(listen);
        listener.Listen(128);
        while (true)
        {
            Socket socket = listener.Accept();
            new Thread(() => Serve(socket)) { IsBackground = true }.Start();
        }
    }

    private static void Serve(Socket socket)
    {
        byte[] buffer = new byte[BufferBytes];
        using (socket)
        {
            try
            {
                if (!Dialer.TryReceive(socket, buffer.AsSpan(0, LoadRequest.Size))
                    || !LoadRequest.TryParse(buffer.AsSpan(0, LoadRequest.Size), out LoadRequest request))
                {
                    return;
                }

                if (request.Kind == LoadKind.Down)
                {
                    // Until the client, which measures, has enough and closes.
                    while (true)
                    {
                        socket.Send(buffer);
                    }
                }

                if (request.Kind == LoadKind.TraceUp)
                {
                    Trace(socket, buffer, request.Window);
                    return;
                }

                Measure(socket, buffer, request);
            }
            catch (SocketException)
            {
                // The end of a download, or a client that went away: the client reports either.
            }
        }
    }

    private static void Trace(Socket socket, byte[] buffer, TimeSpan length)
    {
        var trace = new StreamTrace(TraceClient.BinMs, length);
        bool reported = false;
        int read;
        while ((read = socket.Receive(buffer)) > 0)
        {
            trace.Add(read);
            if (trace.IsOver && !reported)
            {
                byte[] report = JsonSerializer.SerializeToUtf8Bytes(trace.ToResult(), Generator.Json);
                byte[] head = new byte[sizeof(int)];
                BinaryPrimitives.WriteInt32BigEndian(head, report.Length);
                socket.Send(head);
                socket.Send(report);
                reported = true;
            }
        }
    }

    private static void Measure(Socket socket, byte[] buffer, LoadRequest request)
    {
        var meter = new BulkMeter(request.WarmUp, request.Window);
        bool reported = false;
        int read;
        while ((read = socket.Receive(buffer)) > 0)
        {
            meter.Add(read);
            if (meter.IsOver && !reported)
            {
                byte[] result = new byte[LoadRequest.ResultSize];
                BinaryPrimitives.WriteInt64BigEndian(result, meter.WindowBytes);
                BinaryPrimitives.WriteInt64BigEndian(result.AsSpan(8), meter.WindowTime.Ticks * 100);
                socket.Send(result);
                reported = true;
            }
        }
    }
}
