using System.Net;
using System.Net.Sockets;
using System.Text;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;

namespace Aggregator.Network.Tests.Scenarios;

/// <summary>RFC 1928, CONNECT without authentication, on sockets of the lab's client.</summary>
internal static class SocksClient
{
    internal static readonly IPEndPoint Proxy = new(LabAddresses.LanGateway, AggregatorUnderTest.SocksPort);

    internal static Socket[] Sockets(LabHost host, int count) => host.InNamespace(() =>
        Enumerable.Range(0, count).Select(_ => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true }).ToArray());

    /// <summary>A connected flow; throws when the gateway answers anything but 00.</summary>
    internal static async Task<Socket> ConnectAsync(LabHost host, string target, int port, CancellationToken cancellationToken = default)
    {
        Socket socket = Sockets(host, 1)[0];
        try
        {
            byte reply = await ConnectAsync(socket, target, port, cancellationToken);
            return reply == 0 ? socket : throw new IOException($"SOCKS reply {reply:x2}");
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>The reply's code (RFC 1928 section 6).</summary>
    internal static async Task<byte> ConnectAsync(Socket socket, string target, int port, CancellationToken cancellationToken = default)
    {
        await socket.ConnectAsync(Proxy, cancellationToken);
        await socket.SendAsync(new byte[] { 5, 1, 0 }, cancellationToken);
        await ReadAsync(socket, new byte[2], cancellationToken);
        byte[] address = IPAddress.TryParse(target, out IPAddress? literal) ? literal.GetAddressBytes() : [(byte)target.Length, .. Encoding.ASCII.GetBytes(target)];
        byte type = literal?.AddressFamily switch { AddressFamily.InterNetwork => 1, AddressFamily.InterNetworkV6 => 4, _ => 3 };
        await socket.SendAsync((byte[])[5, 1, 0, type, .. address, (byte)(port >> 8), (byte)port], cancellationToken);
        byte[] head = new byte[4];
        await ReadAsync(socket, head, cancellationToken);
        // The bound address and port.
        await ReadAsync(socket, new byte[head[3] == 4 ? 18 : 6], cancellationToken);
        return head[1];
    }

    /// <summary>Exactly as many bytes; EndOfStreamException when the other side ends before.</summary>
    internal static async Task ReadAsync(Socket socket, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        while (buffer.Length > 0)
        {
            int count = await socket.ReceiveAsync(buffer, cancellationToken);
            buffer = count > 0 ? buffer[count..] : throw new EndOfStreamException();
        }
    }
}
