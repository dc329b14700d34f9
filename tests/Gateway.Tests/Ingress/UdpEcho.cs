using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Aggregator.Gateway.Tests.Ingress;

/// <summary>Answers each datagram with itself, from loopback.</summary>
internal sealed class UdpEcho : IAsyncDisposable
{
    private readonly Socket _socket;
    private readonly Task _loop;

    internal UdpEcho(IPAddress address)
    {
        _socket = new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        _socket.Bind(new IPEndPoint(address, 0));
        _loop = RunAsync();
    }

    internal IPEndPoint EndPoint => (IPEndPoint)_socket.LocalEndPoint!;

    internal ConcurrentQueue<(EndPoint From, byte[] Datagram)> Seen { get; } = new();

    public async ValueTask DisposeAsync()
    {
        _socket.Dispose();
        await _loop;
    }

    private async Task RunAsync()
    {
        byte[] buffer = new byte[65536];
        try
        {
            while (true)
            {
                var got = await _socket.ReceiveFromAsync(buffer, new IPEndPoint(EndPoint.Address, 0));
                Seen.Enqueue((got.RemoteEndPoint, buffer[..got.ReceivedBytes]));
                await _socket.SendToAsync(buffer.AsMemory(0, got.ReceivedBytes), got.RemoteEndPoint);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Disposed.
        }
    }
}
