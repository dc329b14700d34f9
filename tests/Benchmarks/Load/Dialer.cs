using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Aggregator.Benchmarks.Load;

/// <summary>Connects to the target, directly or through a SOCKS5 server without authentication (RFC 1928).</summary>
internal static class Dialer
{
    internal static async Task<Socket> ConnectAsync(IPEndPoint target, IPEndPoint? socks, CancellationToken cancellationToken)
    {
        IPEndPoint first = socks ?? target;
        var socket = new Socket(first.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(first, cancellationToken);
            if (socks is not null)
            {
                await RequestAsync(socket, target, cancellationToken);
            }

            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static async Task RequestAsync(Socket socket, IPEndPoint target, CancellationToken cancellationToken)
    {
        byte[] address = target.Address.GetAddressBytes();
        byte[] request = new byte[6 + address.Length];
        request[0] = 5;
        request[1] = 1;
        request[3] = (byte)(address.Length == 4 ? 1 : 4);
        address.CopyTo(request, 4);
        BinaryPrimitives.WriteUInt16BigEndian(request.AsSpan(4 + address.Length), (ushort)target.Port);

        await socket.SendAsync((byte[])[5, 1, 0], cancellationToken);
        byte[] reply = new byte[22];
        await ReceiveExactlyAsync(socket, reply.AsMemory(0, 2), cancellationToken);
        if (reply[0] != 5 || reply[1] != 0)
        {
            throw new IOException($"the SOCKS server answered {reply[0]} {reply[1]} to the greeting");
        }

        await socket.SendAsync(request, cancellationToken);
        await ReceiveExactlyAsync(socket, reply.AsMemory(0, 4), cancellationToken);
        if (reply[1] != 0)
        {
            throw new IOException($"the SOCKS server answered {reply[1]} to the request for {target}");
        }

        await ReceiveExactlyAsync(socket, reply.AsMemory(4, reply[3] == 4 ? 18 : 6), cancellationToken);
    }

    internal static async Task ReceiveExactlyAsync(Socket socket, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        while (buffer.Length > 0)
        {
            int read = await socket.ReceiveAsync(buffer, cancellationToken);
            if (read == 0)
            {
                throw new EndOfStreamException($"{socket.RemoteEndPoint} closed the connection");
            }

            buffer = buffer[read..];
        }
    }
}
