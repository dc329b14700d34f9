using System.Net.Sockets;
using System.Text;

namespace Aggregator.Gateway.Tests.Ingress;

/// <summary>A client's end of a connection, with patience.</summary>
internal static class Wire
{
    internal static Task SendHexAsync(this Socket socket, string hex) => TestServer.SendAsync(socket, Convert.FromHexString(hex));

    internal static Task SendTextAsync(this Socket socket, string text) => TestServer.SendAsync(socket, Encoding.ASCII.GetBytes(text));

    internal static async Task<byte[]> ReadAsync(this Socket socket, int count)
    {
        using var patience = new CancellationTokenSource(IngressRig.Patience);
        byte[] bytes = new byte[count];
        int length = 0;
        while (length < count)
        {
            int got = await socket.ReceiveAsync(bytes.AsMemory(length), patience.Token);
            if (got == 0)
            {
                throw new EndOfStreamException($"ended after {length} of {count} bytes: {Convert.ToHexString(bytes, 0, length)}");
            }
            length += got;
        }
        return bytes;
    }

    internal static async Task<string> ReadHexAsync(this Socket socket, int count) => Convert.ToHexString(await socket.ReadAsync(count));

    /// <summary>Everything up to the end of the other side; a reset is a SocketException.</summary>
    internal static async Task<byte[]> ReadToEndAsync(this Socket socket)
    {
        using var patience = new CancellationTokenSource(IngressRig.Patience);
        using var all = new MemoryStream();
        byte[] buffer = new byte[16384];
        int count;
        while ((count = await socket.ReceiveAsync(buffer, patience.Token)) > 0)
        {
            all.Write(buffer, 0, count);
        }
        return all.ToArray();
    }

    /// <summary>Whether the connection ends by a reset, with nothing before it.</summary>
    internal static async Task<bool> IsResetAsync(this Socket socket)
    {
        try
        {
            await socket.ReadToEndAsync();
            return false;
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            return true;
        }
    }

    /// <summary>Connects, and says whether the connection ends by a reset: at once, or after the connect was told.</summary>
    internal static async Task<bool> IsResetAsync(this Socket socket, System.Net.EndPoint remote)
    {
        try
        {
            await socket.ConnectAsync(remote);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            return true;
        }
        return await socket.IsResetAsync();
    }
}
