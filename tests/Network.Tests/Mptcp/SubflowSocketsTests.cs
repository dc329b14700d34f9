using System.Net;
using System.Net.Sockets;
using Aggregator.Mptcp;
using Aggregator.Network.Tests.Netlink;
using Shouldly;
using Xunit;

namespace Aggregator.Network.Tests.Mptcp;

public sealed class SubflowSocketsTests
{
    private static readonly IPAddress First = IPAddress.Parse("10.7.1.1"), Second = IPAddress.Parse("10.7.2.1");

    [SkippableFact]
    public async Task Subflows_are_found_by_their_address_and_an_ended_one_costs_the_connection_nothing()
    {
        await using MptcpRig rig = await MptcpRig.CreateAsync();
        using MptcpPathManager manager = (await rig.Client.Run(() => MptcpPathManager.OpenAsync()))!;
        using MptcpEventMonitor monitor = (await rig.Client.Run(() => MptcpEventMonitor.OpenAsync()))!;
        using SubflowSockets subflows = rig.Client.Run(SubflowSockets.Open);
        (await manager.AddEndpointAsync(new MptcpEndpoint { Address = Second, Flags = MptcpEndpointFlags.Subflow })).Result.ToString().ShouldBe("ok");
        using Socket listener = rig.Listen();
        (Socket client, Socket server) = await rig.ConnectAsync(listener);
        using Socket own = client;
        using Socket peer = server;
        await using IAsyncEnumerator<MptcpEvent> events = monitor.ReadAllAsync(rig.Patience).GetAsyncEnumerator();
        await rig.TransferAsync(client, server, 1);
        await events.NextAsync<MptcpEvent>(e => e.Kind == MptcpEventKind.SubflowEstablished);

        // A plain TCP connection from the same address is none of them.
        using Socket plainListener = rig.Server.Run(() => Listen(new IPEndPoint(IPAddress.Parse("10.7.1.2"), 9)));
        using Socket plain = rig.Client.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
        await plain.ConnectAsync(plainListener.LocalEndPoint!, rig.Patience);

        SubflowSocket first = (await subflows.FromAsync(First)).ShouldHaveSingleItem();
        first.Local.ShouldBe(client.LocalEndPoint);
        first.Remote.ShouldBe(client.RemoteEndPoint);
        first.State.ShouldBe(TcpState.Established);
        SubflowSocket second = (await subflows.FromAsync(Second)).ShouldHaveSingleItem();

        (await subflows.EndAsync(first)).ToString().ShouldBe("ok");
        (await subflows.FromAsync(First)).ShouldBeEmpty();
        (await subflows.EndAsync(first)).IsNotThere.ShouldBeTrue();
        await rig.TransferAsync(client, server, 4 * 1024 * 1024);
        await rig.TransferAsync(server, client, 4 * 1024 * 1024);
        (await subflows.FromAsync(Second)).ShouldHaveSingleItem().Local.ShouldBe(second.Local);
    }

    private static Socket Listen(IPEndPoint address)
    {
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(address);
        socket.Listen();
        return socket;
    }
}
