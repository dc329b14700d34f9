using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Aggregator.Lab.Topology;

namespace Aggregator.Network.Tests.Scenarios;

/// <summary>
/// A name server on the VPS's loopback, and the /etc/netns/…/resolv.conf by which `ip netns exec` leads programs there to it.
/// It knows <see cref="Both"/>, <see cref="Inside"/> and nothing else (RFC 1035: NXDOMAIN).
/// </summary>
internal sealed class Names : IAsyncDisposable
{
    /// <summary>The internet host under both families.</summary>
    internal const string Both = "site.test";

    /// <summary>A public name that leads into a private network: what DNS rebinding does.</summary>
    internal const string Inside = "inside.test";

    private const int HeaderBytes = 12;
    private const int NameError = 3;
    private const ushort TypeA = 1;
    private const ushort TypeAaaa = 28;

    private readonly string _folder;
    private readonly Socket _socket;
    private readonly Task _serving;

    private Names(string folder, Socket socket)
    {
        (_folder, _socket) = (folder, socket);
        _serving = ServeAsync();
    }

    internal static Names Start(LabHost host)
    {
        string folder = $"/etc/netns/{host.Name}";
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "resolv.conf"), "nameserver 127.0.0.1\noptions timeout:1 attempts:2\n");
        return new Names(folder, host.InNamespace(() =>
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
            socket.Bind(new IPEndPoint(IPAddress.Loopback, 53));
            return socket;
        }));
    }

    public async ValueTask DisposeAsync()
    {
        _socket.Dispose();
        await _serving;
        Directory.Delete(_folder, recursive: true);
        try
        {
            Directory.Delete(Path.GetDirectoryName(_folder)!);
        }
        catch (IOException)
        {
            // Others have theirs there.
        }
    }

    private async Task ServeAsync()
    {
        byte[] question = new byte[512];
        try
        {
            while (true)
            {
                var got = await _socket.ReceiveFromAsync(question, new IPEndPoint(IPAddress.Any, 0));
                await _socket.SendToAsync(Answer(question.AsSpan(0, got.ReceivedBytes)), got.RemoteEndPoint);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Disposed.
        }
    }

    /// <summary>The question comes from the resolver of the C library, so its form is taken as good.</summary>
    private static byte[] Answer(ReadOnlySpan<byte> question)
    {
        var name = new StringBuilder();
        int at = HeaderBytes;
        for (; question[at] != 0; at += 1 + question[at])
        {
            name.Append(name.Length > 0 ? "." : "").Append(Encoding.ASCII.GetString(question.Slice(at + 1, question[at])));
        }

        ushort type = BinaryPrimitives.ReadUInt16BigEndian(question[(at + 1)..]);
        int end = at + 5;
        (bool known, IPAddress? address) = (name.ToString(), type) switch
        {
            (Both, TypeA) => (true, LabAddresses.Internet),
            (Both, TypeAaaa) => (true, LabAddresses.InternetV6),
            (Inside, TypeA) => (true, IPAddress.Parse("192.168.1.1")),
            (Both or Inside, _) => (true, null),
            _ => (false, null),
        };

        var answer = new List<byte>(question[..end].ToArray());
        (answer[2], answer[3]) = (0x85, (byte)(0x80 | (known ? 0 : NameError)));
        (answer[6], answer[7]) = (0, (byte)(address is null ? 0 : 1));
        (answer[8], answer[9], answer[10], answer[11]) = (0, 0, 0, 0);
        if (address is not null)
        {
            byte[] bytes = address.GetAddressBytes();
            // The question's name, its type, class IN, 1 s to live.
            answer.AddRange([0xc0, HeaderBytes, 0, (byte)type, 0, 1, 0, 0, 0, 1, 0, (byte)bytes.Length, .. bytes]);
        }

        return [.. answer];
    }
}
