using System.Net;
using System.Net.Sockets;
using Aggregator.Mptcp;
using Aggregator.Network.Tests.Netlink;

namespace Aggregator.Network.Tests.Mptcp;

/// <summary>
/// <code>
/// client 10.7.1.1, fd07:1::1 ── wan1 ── 10.7.1.2, fd07:1::2 server
///        10.7.2.1, fd07:2::1 ── wan2 ── 10.7.2.2, fd07:2::2
/// </code>
/// The server listens on [::]:7443 and routes both ways.
/// </summary>
internal sealed class MptcpRig : IAsyncDisposable
{
    internal const int Port = 7443;

    private readonly CancellationTokenSource _patience = new(Events.Patience);

    private MptcpRig(TestNamespace client, TestNamespace server)
    {
        Client = client;
        Server = server;
    }

    internal TestNamespace Client { get; }

    internal TestNamespace Server { get; }

    internal CancellationToken Patience => _patience.Token;

    internal static async Task<MptcpRig> CreateAsync()
    {
        TestNamespace client = await TestNamespace.CreateAsync();
        TestNamespace server = await TestNamespace.CreateAsync();
        var rig = new MptcpRig(client, server);
        try
        {
            await client.ConnectAsync(server, "wan1", ["10.7.1.1/24", "fd07:1::1/64"], ["10.7.1.2/24", "fd07:1::2/64"]);
            await client.ConnectAsync(server, "wan2", ["10.7.2.1/24", "fd07:2::1/64"], ["10.7.2.2/24", "fd07:2::2/64"]);

            // From each WAN to the server's first address by that WAN.
            await client.IpAsync("rule add from 10.7.2.1 table 7002");
            await client.IpAsync("route add default via 10.7.2.2 dev wan2 table 7002");
            return rig;
        }
        catch
        {
            await rig.DisposeAsync();
            throw;
        }
    }

    internal Socket Listen() => Server.Run(() => MptcpSocket.Listen(new IPEndPoint(IPAddress.IPv6Any, Port), 16));

    internal async Task<(Socket Client, Socket Server)> ConnectAsync(Socket listener, IPAddress? to = null)
    {
        IPAddress address = to ?? IPAddress.Parse("10.7.1.2");
        Socket client = Client.Run(() => MptcpSocket.Create(address.AddressFamily));
        await client.ConnectAsync(new IPEndPoint(address, Port), Patience);
        Socket server = await listener.AcceptAsync(Patience);
        return (client, server);
    }

    /// <summary>Sends one way and reads it all at the other end.</summary>
    internal async Task TransferAsync(Socket from, Socket to, int bytes)
    {
        Task sending = Task.Run(async () =>
        {
            byte[] data = new byte[bytes];
            for (int sent = 0; sent < bytes;)
            {
                sent += await from.SendAsync(data.AsMemory(sent), Patience);
            }
        });
        byte[] buffer = new byte[256 * 1024];
        for (int received = 0; received < bytes;)
        {
            received += await to.ReceiveAsync(buffer, Patience);
        }

        await sending;
    }

    public async ValueTask DisposeAsync()
    {
        _patience.Dispose();
        await Client.DisposeAsync();
        await Server.DisposeAsync();
    }
}
