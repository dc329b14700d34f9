using System.Net;
using System.Net.Sockets;

namespace Aggregator.Gateway.Tests.Ingress;

/// <summary>A TCP server on loopback that treats each connection as told.</summary>
internal sealed class TestServer : IAsyncDisposable
{
    private readonly Socket _listener;
    private readonly Func<Socket, Task> _serve;
    private readonly Task _loop;

    private TestServer(Socket listener, Func<Socket, Task> serve)
    {
        _listener = listener;
        _serve = serve;
        _loop = AcceptAsync();
    }

    internal IPEndPoint EndPoint => (IPEndPoint)_listener.LocalEndPoint!;

    internal static TestServer Start(Func<Socket, Task> serve, IPAddress? address = null)
    {
        address ??= IPAddress.Loopback;
        var listener = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(address, 0));
        listener.Listen(4096);
        return new TestServer(listener, serve);
    }

    /// <summary>Sends back what comes, and ends when the client has.</summary>
    internal static TestServer Echo(IPAddress? address = null) => Start(EchoAsync, address);

    /// <summary>Takes what comes and never says a word.</summary>
    internal static TestServer Mute() => Start(async socket =>
    {
        byte[] buffer = new byte[16384];
        while (await socket.ReceiveAsync(buffer) > 0)
        {
        }
    });

    /// <summary>Answers each connection's HTTP request with <paramref name="body"/>.</summary>
    internal static TestServer Http(byte[] body, IPAddress? address = null) => Start(
        async socket =>
        {
            byte[] request = new byte[8192];
            int length = 0;
            while (!request.AsSpan(0, length).EndsWith("\r\n\r\n"u8))
            {
                int count = await socket.ReceiveAsync(request.AsMemory(length));
                if (count == 0)
                {
                    return;
                }
                length += count;
            }
            byte[] head = System.Text.Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Length: {body.Length}\r\nConnection: close\r\n\r\n");
            await SendAsync(socket, head);
            await SendAsync(socket, body);
            socket.Shutdown(SocketShutdown.Send);
            await socket.ReceiveAsync(request);
        },
        address);

    internal static async Task EchoAsync(Socket socket)
    {
        byte[] buffer = new byte[16384];
        int count;
        while ((count = await socket.ReceiveAsync(buffer)) > 0)
        {
            await SendAsync(socket, buffer.AsMemory(0, count));
        }
        socket.Shutdown(SocketShutdown.Send);
    }

    internal static async Task SendAsync(Socket socket, ReadOnlyMemory<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            bytes = bytes[await socket.SendAsync(bytes)..];
        }
    }

    public async ValueTask DisposeAsync()
    {
        _listener.Dispose();
        await _loop;
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                _ = ServeAsync(await _listener.AcceptAsync());
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Disposed.
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        using (socket)
        {
            try
            {
                await _serve(socket);
            }
            catch (SocketException)
            {
                // The other end's affair.
            }
        }
    }
}
