using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Aggregator.Benchmarks.Load;

/// <summary>Connects to the target, directly or through a SOCKS5 server without authentication (RFC 1928).</summary>
internal static class Dialer
{
    private static readonly byte[] Greeting = [5, 1, 0];

    /// <summary>With blocking calls only, see <see cref="BulkServer"/>.</summary>
    internal static Socket Connect(IPEndPoint target, IPEndPoint? socks)
    {
        Socket socket = Create(socks ?? target);
        try
        {
            socket.Connect(socks ?? target);
            if (socks is not null)
            {
                socket.Send(Greeting);
                CheckGreeting(Receive(socket, 2));
                socket.Send(Request(target));
                byte[] reply = Receive(socket, 4);
                CheckReply(reply, target);
                Receive(socket, RestOfReply(reply));
            }

            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>For thousands at once.</summary>
    internal static async Task<Socket> ConnectAsync(IPEndPoint target, IPEndPoint? socks, CancellationToken cancellationToken)
    {
        Socket socket = Create(socks ?? target);
        try
        {
            await socket.ConnectAsync(socks ?? target, cancellationToken);
            if (socks is not null)
            {
                await socket.SendAsync(Greeting, cancellationToken);
                CheckGreeting(await ReceiveAsync(socket, 2, cancellationToken));
                await socket.SendAsync(Request(target), cancellationToken);
                byte[] reply = await ReceiveAsync(socket, 4, cancellationToken);
                CheckReply(reply, target);
                await ReceiveAsync(socket, RestOfReply(reply), cancellationToken);
            }

            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>False: the peer ended first.</summary>
    internal static bool TryReceive(Socket socket, Span<byte> buffer)
    {
        while (buffer.Length > 0)
        {
            int read = socket.Receive(buffer);
            if (read == 0)
            {
                return false;
            }

            buffer = buffer[read..];
        }

        return true;
    }

    /// <exception cref="EndOfStreamException">The peer ended first.</exception>
    internal static async Task<byte[]> ReceiveAsync(Socket socket, int length, CancellationToken cancellationToken)
    {
        byte[] bytes = new byte[length];
        for (int got = 0; got < length;)
        {
            int read = await socket.ReceiveAsync(bytes.AsMemory(got), cancellationToken);
            got += read > 0 ? read : throw Ended(socket);
        }

        return bytes;
    }

    private static byte[] Receive(Socket socket, int length)
    {
        byte[] bytes = new byte[length];
        return TryReceive(socket, bytes) ? bytes : throw Ended(socket);
    }

    private static Socket Create(IPEndPoint first) => new(first.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };

    private static byte[] Request(IPEndPoint target)
    {
        byte[] address = target.Address.GetAddressBytes();
        byte[] request = [5, 1, 0, (byte)(address.Length == 4 ? 1 : 4), .. address, 0, 0];
        BinaryPrimitives.WriteUInt16BigEndian(request.AsSpan(request.Length - 2), (ushort)target.Port);
        return request;
    }

    private static void CheckGreeting(byte[] answer)
    {
        if (answer[0] != 5 || answer[1] != 0)
        {
            throw new IOException($"the SOCKS server answered {answer[0]} {answer[1]} to the greeting");
        }
    }

    private static void CheckReply(byte[] reply, IPEndPoint target)
    {
        if (reply[1] != 0)
        {
            throw new IOException($"the SOCKS server answered {reply[1]} to the request for {target}");
        }
    }

    /// <summary>The bound address and port, of the family that the fourth byte names.</summary>
    private static int RestOfReply(byte[] reply) => reply[3] == 4 ? 18 : 6;

    private static EndOfStreamException Ended(Socket socket) => new($"{socket.RemoteEndPoint} closed the connection");
}
