using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Aggregator.Lab.Topology;

namespace Aggregator.Network.Tests.Scenarios;

/// <summary>A TCP server in a namespace, dual-stack. Each connection is served by <c>serve</c> and closed when that returns; its socket errors end it.</summary>
internal sealed class TargetServer : IAsyncDisposable
{
    private const int Backlog = 4096;

    private readonly Socket _listener;
    private readonly Func<Socket, Task> _serve;
    private readonly ConcurrentDictionary<Socket, Task> _running = new();
    private readonly Task _accepting;

    internal TargetServer(LabHost host, int port, Func<Socket, Task> serve)
    {
        _serve = serve;
        _listener = host.InNamespace(() =>
        {
            var listener = new Socket(AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp) { DualMode = true };
            listener.Bind(new IPEndPoint(IPAddress.IPv6Any, port));
            listener.Listen(Backlog);
            return listener;
        });
        _accepting = AcceptAsync();
    }

    /// <summary>Sends back what comes, and ends when the other side does.</summary>
    internal static async Task EchoAsync(Socket socket)
    {
        byte[] buffer = new byte[4096];
        while (await socket.ReceiveAsync(buffer) is > 0 and var count)
        {
            await socket.SendAsync(buffer.AsMemory(0, count));
        }
    }

    public async ValueTask DisposeAsync()
    {
        _listener.Dispose();
        await _accepting;
        foreach (Socket socket in _running.Keys)
        {
            socket.Dispose();
        }

        await Task.WhenAll(_running.Values);
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                Socket socket = await _listener.AcceptAsync();
                _running[socket] = ServeAsync(socket);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Disposed.
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        await Task.Yield();
        try
        {
            await _serve(socket);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The flow was cut: the client's side is what the test looks at.
        }
        finally
        {
            socket.Dispose();
            _running.TryRemove(socket, out _);
        }
    }
}
