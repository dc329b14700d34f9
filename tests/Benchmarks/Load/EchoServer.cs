using System.Buffers;
using System.Net;
using System.Net.Sockets;

namespace Aggregator.Benchmarks.Load;

/// <summary>Returns what it gets, for thousands of flows at once.</summary>
internal static class EchoServer
{
    private const int BufferBytes = 16 * 1024;

    internal static async Task RunAsync(IPEndPoint listen, CancellationToken cancellationToken)
    {
        using var listener = new Socket(listen.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
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
        using (socket)
        {
            try
            {
                while (true)
                {
                    // Waiting holds no buffer, so that idle flows cost this side little as well.
                    await socket.ReceiveAsync(Memory<byte>.Empty, cancellationToken);
                    byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
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
                        ArrayPool<byte>.Shared.Return(buffer);
                    }
                }
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException)
            {
                // The client went away, or we end: the client is the one that reports.
            }
        }
    }
}
