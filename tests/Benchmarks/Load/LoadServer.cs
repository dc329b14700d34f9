using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Aggregator.Benchmarks.Load;

/// <summary>The server of the generator. Bulk transfers have a blocking thread each (cheapest for few fat flows); echoes are asynchronous (thousands).</summary>
internal static class LoadServer
{
    /// <summary>Large enough that system calls are rare, small enough to stay in the cache.</summary>
    internal const int BufferBytes = 256 * 1024;

    internal static async Task RunAsync(IPEndPoint listen, CancellationToken cancellationToken)
    {
        using var listener = new Socket(listen.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        listener.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        listener.Bind(listen);
        listener.Listen(4096);
        while (true)
        {
            Serve(await listener.AcceptAsync(cancellationToken), cancellationToken);
        }
    }

    /// <summary>Owns the socket from here on; nobody waits for it, as the connections end with the process.</summary>
    private static async void Serve(Socket socket, CancellationToken cancellationToken)
    {
        try
        {
            byte[] header = new byte[LoadRequest.Size];
            int read = 0;
            while (read < header.Length)
            {
                int now = await socket.ReceiveAsync(header.AsMemory(read), cancellationToken);
                if (now == 0)
                {
                    socket.Dispose();
                    return;
                }

                read += now;
            }

            if (!LoadRequest.TryParse(header, out LoadRequest request))
            {
                socket.Dispose();
                return;
            }

            if (request.Kind == LoadKind.Echo)
            {
                await EchoAsync(socket, cancellationToken);
                return;
            }

            socket.Blocking = true;
            new Thread(() => Bulk(socket, request)) { IsBackground = true }.Start();
        }
        catch (SocketException)
        {
            // The client went away: it is the one that reports.
            socket.Dispose();
        }
        catch (OperationCanceledException)
        {
            socket.Dispose();
        }
    }

    private static async Task EchoAsync(Socket socket, CancellationToken cancellationToken)
    {
        using (socket)
        {
            while (true)
            {
                // Waiting holds no buffer, so that thousands of idle flows cost this side little as well.
                await socket.ReceiveAsync(Memory<byte>.Empty, cancellationToken);
                byte[] buffer = System.Buffers.ArrayPool<byte>.Shared.Rent(16 * 1024);
                try
                {
                    int read = await socket.ReceiveAsync(buffer.AsMemory(), cancellationToken);
                    if (read == 0)
                    {
                        return;
                    }

                    for (int sent = 0; sent < read;)
                    {
                        sent += await socket.SendAsync(buffer.AsMemory(sent, read - sent), cancellationToken);
                    }
                }
                finally
                {
                    System.Buffers.ArrayPool<byte>.Shared.Return(buffer);
                }
            }
        }
    }

    private static void Bulk(Socket socket, LoadRequest request)
    {
        byte[] buffer = new byte[BufferBytes];
        using (socket)
        {
            try
            {
                if (request.Kind == LoadKind.Down)
                {
                    // Until the client, which measures, has enough and closes.
                    while (true)
                    {
                        socket.Send(buffer);
                    }
                }

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
            catch (SocketException)
            {
                // The end of a download, or a client that went away: the client reports either.
            }
        }
    }
}
