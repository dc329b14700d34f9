using System.Net;
using System.Net.Sockets;
using Aggregator.Interop;
using Aggregator.Mptcp;
using Aggregator.Netlink;
using Aggregator.Network.Tests.Netlink;
using Shouldly;
using Xunit;

namespace Aggregator.Network.Tests.Mptcp;

/// <summary>Real MPTCP connections over two veth pairs.</summary>
public sealed class MptcpSubflowTests
{
    private const int Transfer = 16 * 1024 * 1024;

    [SkippableFact]
    public async Task Two_subflows_are_listed_with_addresses_state_and_bytes()
    {
        await using MptcpRig rig = await MptcpRig.CreateAsync();
        using MptcpPathManager manager = (await rig.Client.Run(() => MptcpPathManager.OpenAsync()))!;
        using MptcpEventMonitor monitor = (await rig.Client.Run(() => MptcpEventMonitor.OpenAsync()))!;
        (await manager.AddEndpointAsync(new MptcpEndpoint { Address = IPAddress.Parse("10.7.2.1"), Flags = MptcpEndpointFlags.Subflow }))
            .Result.ToString().ShouldBe("ok");
        using Socket listener = rig.Listen();
        (Socket client, Socket server) = await rig.ConnectAsync(listener);
        using Socket own = client;
        using Socket peer = server;
        await using IAsyncEnumerator<MptcpEvent> events = monitor.ReadAllAsync(rig.Patience).GetAsyncEnumerator();
        await rig.TransferAsync(client, server, 1);
        MptcpEvent joined = await events.NextAsync<MptcpEvent>(e => e.Kind == MptcpEventKind.SubflowEstablished);
        await rig.TransferAsync(client, server, Transfer);

        var subflows = new MptcpSubflow[8];
        MptcpSampler.TryReadFull(client, subflows, out MptcpSample sample).ShouldBe(0);
        sample.Count.ShouldBe(2);
        sample.Total.ShouldBe(2);
        sample.Connection.Token.ShouldBe(joined.Token);
        sample.Connection.Subflows.ShouldBe(2);
        sample.Connection.BytesSent!.Value.ShouldBeGreaterThanOrEqualTo(Transfer + 1UL);
        sample.Connection.FellBack.ShouldBeFalse();
        MptcpSubflow first = subflows[..2].Single(s => s.Local.Has(IPAddress.Parse("10.7.1.1")));
        MptcpSubflow second = subflows[..2].Single(s => s.Local.Has(IPAddress.Parse("10.7.2.1")));
        first.Local.ToEndPoint().ShouldBe(client.LocalEndPoint);
        first.Remote.ToEndPoint().ShouldBe(new IPEndPoint(IPAddress.Parse("10.7.1.2"), MptcpRig.Port));
        second.Remote.ToEndPoint().ShouldBe(first.Remote.ToEndPoint());
        second.Local.ToEndPoint().ShouldBe(joined.Local);
        (first.Tcp.BytesSent + second.Tcp.BytesSent).ShouldBeGreaterThanOrEqualTo((ulong)Transfer);
        foreach (MptcpSubflow subflow in new[] { first, second })
        {
            subflow.Tcp.State.ShouldBe(TcpState.Established);
            subflow.Tcp.Rtt.ShouldBeGreaterThan(TimeSpan.Zero);
            subflow.Tcp.Rtt.ShouldBeLessThan(TimeSpan.FromSeconds(5));
            subflow.Tcp.CongestionWindowSegments.ShouldBeGreaterThan(0u);
            subflow.Tcp.SegmentBytes.ShouldBeInRange(500u, 65535u);
            subflow.Tcp.PathMtuBytes.ShouldBe(1500u);
        }

        // The other end sees the same addresses turned round, IPv4 as IPv4 though its listener is IPv6.
        var others = new MptcpSubflow[8];
        MptcpSampler.TryRead(server, others, out MptcpSample other).ShouldBe(0);
        others[..other.Count].Select(s => s.Remote).ShouldBe([first.Local, second.Local], ignoreOrder: true);
        others[..2].Aggregate(0UL, (sum, s) => sum + s.Tcp.BytesReceived).ShouldBeGreaterThanOrEqualTo((ulong)Transfer);

        // The way of older kernels tells the same.
        var byParts = new MptcpSubflow[8];
        MptcpSampler.TryReadByParts(client, byParts, out MptcpSample parts).ShouldBe(0);
        parts.Count.ShouldBe(2);
        parts.Connection.Token.ShouldBe(sample.Connection.Token);
        byParts[..2].Select(s => (s.Local, s.Remote, s.Tcp.State)).ShouldBe(subflows[..2].Select(s => (s.Local, s.Remote, s.Tcp.State)));

        // A short span takes what fits and tells how many there are.
        MptcpSampler.TryReadFull(client, subflows.AsSpan(0, 1), out sample).ShouldBe(0);
        (sample.Count, sample.Total).ShouldBe((1, 2));
        MptcpSampler.TryReadByParts(client, byParts.AsSpan(0, 1), out parts).ShouldBe(0);
        (parts.Count, parts.Total).ShouldBe((1, 2));
    }

    [SkippableFact]
    public async Task Sampling_allocates_nothing()
    {
        await using MptcpRig rig = await MptcpRig.CreateAsync();
        using Socket listener = rig.Listen();
        (Socket client, Socket server) = await rig.ConnectAsync(listener);
        using Socket own = client;
        using Socket peer = server;
        await rig.TransferAsync(client, server, 1000);
        var subflows = new MptcpSubflow[8];
        IPAddress local = IPAddress.Parse("10.7.1.1");
        ulong acknowledged = 0;
        int found = 0;
        void Sample()
        {
            found += MptcpSampler.TryReadFull(client, subflows, out MptcpSample sample) == 0 && subflows[0].Local.Has(local) ? 1 : 0;
            found += MptcpSampler.TryReadByParts(client, subflows, out sample) == 0 ? 1 : 0;
            found += MptcpCheck.VerdictOf(client) == MptcpVerdict.Mptcp ? 1 : 0;
            found += TcpInfo.TryRead(client, out TcpInfo tcp) == 0 ? 1 : 0;
            acknowledged = tcp.BytesAcknowledged;
        }

        // What is compiled anew while it runs may allocate once; in steady state nothing does.
        Sample();
        long least = long.MaxValue;
        for (int batch = 0; batch < 5; batch++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 200; i++)
            {
                Sample();
            }

            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        least.ShouldBe(0);
        found.ShouldBe(4004);
        acknowledged.ShouldBeGreaterThanOrEqualTo(1000UL);
    }

    [SkippableFact]
    public async Task A_lost_endpoint_ends_its_subflow_and_its_return_brings_a_new_one()
    {
        await using MptcpRig rig = await MptcpRig.CreateAsync();
        using MptcpPathManager manager = (await rig.Client.Run(() => MptcpPathManager.OpenAsync()))!;
        using MptcpEventMonitor monitor = (await rig.Client.Run(() => MptcpEventMonitor.OpenAsync()))!;
        var wanted = new MptcpEndpoint { Address = IPAddress.Parse("fd07:2::1"), Flags = MptcpEndpointFlags.Subflow };
        (NetlinkResult result, MptcpEndpoint? endpoint) = await manager.AddEndpointAsync(wanted);
        result.IsSuccess.ShouldBeTrue();
        using Socket listener = rig.Listen();
        await rig.Client.IpAsync("-6 rule add from fd07:2::1 table 7002");
        await rig.Client.IpAsync("-6 route add default via fd07:2::2 dev wan2 table 7002");
        (Socket client, Socket server) = await rig.ConnectAsync(listener, IPAddress.Parse("fd07:1::2"));
        using Socket own = client;
        using Socket peer = server;
        await using IAsyncEnumerator<MptcpEvent> events = monitor.ReadAllAsync(rig.Patience).GetAsyncEnumerator();
        await rig.TransferAsync(client, server, 1);
        MptcpEvent joined = await events.NextAsync<MptcpEvent>(e => e.Kind == MptcpEventKind.SubflowEstablished);
        joined.Local!.Address.ShouldBe(wanted.Address);
        joined.Remote.ShouldBe(new IPEndPoint(IPAddress.Parse("fd07:1::2"), MptcpRig.Port));

        (await manager.RemoveEndpointAsync(endpoint!)).IsSuccess.ShouldBeTrue();
        MptcpEvent closed = await events.NextAsync<MptcpEvent>(e => e.Kind == MptcpEventKind.SubflowClosed);
        closed.Local.ShouldBe(joined.Local);
        closed.Token.ShouldBe(joined.Token);

        (await manager.AddEndpointAsync(wanted)).Result.IsSuccess.ShouldBeTrue();
        await events.NextAsync<MptcpEvent>(e => e.Kind == MptcpEventKind.SubflowEstablished && e.Local!.Address.Equals(wanted.Address));
        var subflows = new MptcpSubflow[8];
        MptcpSampler.TryRead(client, subflows, out MptcpSample sample).ShouldBe(0);
        subflows[..sample.Count].Where(s => s.Tcp.State == TcpState.Established).Count(s => s.Local.Has(wanted.Address)).ShouldBe(1);

        client.Dispose();
        (await events.NextAsync<MptcpEvent>(e => e.Kind == MptcpEventKind.Closed)).Token.ShouldBe(joined.Token);
    }

    [SkippableFact]
    public async Task The_userspace_path_manager_joins_and_closes_subflows_of_one_connection()
    {
        await using MptcpRig rig = await MptcpRig.CreateAsync();
        rig.Client.SetSysctl("net.mptcp.pm_type", "1");
        using MptcpPathManager manager = (await rig.Client.Run(() => MptcpPathManager.OpenAsync()))!;
        using MptcpEventMonitor monitor = (await rig.Client.Run(() => MptcpEventMonitor.OpenAsync()))!;
        using MptcpEventMonitor serverMonitor = (await rig.Server.Run(() => MptcpEventMonitor.OpenAsync()))!;
        using Socket listener = rig.Listen();
        (Socket client, Socket server) = await rig.ConnectAsync(listener);
        using Socket own = client;
        using Socket peer = server;
        await using IAsyncEnumerator<MptcpEvent> events = monitor.ReadAllAsync(rig.Patience).GetAsyncEnumerator();
        await using IAsyncEnumerator<MptcpEvent> serverEvents = serverMonitor.ReadAllAsync(rig.Patience).GetAsyncEnumerator();
        await rig.TransferAsync(client, server, 1);
        await rig.TransferAsync(server, client, 1);
        MptcpInfo.TryRead(client, out MptcpInfo info).ShouldBe(0);
        var remote = new IPEndPoint(IPAddress.Parse("10.7.1.2"), MptcpRig.Port);
        var local = new MptcpEndpoint
        {
            Address = IPAddress.Parse("10.7.2.1"),
            Id = 7,
            Flags = MptcpEndpointFlags.Subflow | MptcpEndpointFlags.Backup,
            InterfaceIndex = (await OpenLinksAsync(rig)).Single(l => l.Name == "wan2").Index,
        };

        (await manager.CreateSubflowAsync(info.Token, local, remote)).ToString().ShouldBe("ok");
        MptcpEvent joined = await events.NextAsync<MptcpEvent>(e => e.Kind == MptcpEventKind.SubflowEstablished);
        MptcpEvent accepted = await serverEvents.NextAsync<MptcpEvent>(e => e.Kind == MptcpEventKind.SubflowEstablished);
        accepted.IsBackup.ShouldBe(true);
        accepted.RemoteId.ShouldBe((byte)7);
        accepted.Remote.ShouldBe(joined.Local);
        joined.LocalId.ShouldBe((byte)7);
        joined.InterfaceIndex.ShouldBe(local.InterfaceIndex);
        joined.IsServerSide.ShouldBeFalse();
        var subflows = new MptcpSubflow[8];
        MptcpSampler.TryRead(client, subflows, out MptcpSample sample).ShouldBe(0);
        subflows[..sample.Count].ShouldContain(s => s.Local.Has(local.Address) && s.Tcp.State == TcpState.Established);

        // It may turn to active and back while it lives.
        (await manager.SetSubflowFlagsAsync(info.Token, local with { Flags = MptcpEndpointFlags.None, Port = (ushort)joined.Local!.Port }, remote))
            .ToString().ShouldBe("ok");

        (await manager.DestroySubflowAsync(info.Token, joined.Local!, remote)).ToString().ShouldBe("ok");
        (await events.NextAsync<MptcpEvent>(e => e.Kind == MptcpEventKind.SubflowClosed)).Local.ShouldBe(joined.Local);
        (await manager.DestroySubflowAsync(info.Token, joined.Local!, remote)).IsNotThere.ShouldBeTrue();
        (await manager.CreateSubflowAsync(info.Token ^ 1, local, remote)).IsSuccess.ShouldBeFalse();

        (await manager.AnnounceAsync(info.Token, new MptcpEndpoint { Address = local.Address, Id = 9, Flags = MptcpEndpointFlags.Signal }))
            .ToString().ShouldBe("ok");
        (await manager.RemoveAsync(info.Token, 9)).ToString().ShouldBe("ok");
        await rig.TransferAsync(client, server, 100_000);
    }

    [SkippableFact]
    public async Task Fallback_is_told_at_both_ends()
    {
        await using MptcpRig rig = await MptcpRig.CreateAsync();
        using Socket listener = rig.Listen();
        using Socket plainListener = rig.Server.Run(() => TcpSocket.Listen(new IPEndPoint(IPAddress.IPv6Any, MptcpRig.Port + 1), 16));

        (Socket client, Socket server) = await rig.ConnectAsync(listener);
        using (client)
        using (server)
        {
            MptcpCheck.VerdictOf(client).ShouldBe(MptcpVerdict.Mptcp);
            MptcpCheck.VerdictByInfo(client).ShouldBe(MptcpVerdict.Mptcp);
            MptcpCheck.VerdictOf(server).ShouldBe(MptcpVerdict.Mptcp);
        }

        // MPTCP towards a peer without it, over both families: the errno of MPTCP_INFO differs between them.
        foreach (string address in new[] { "10.7.1.2", "fd07:1::2" })
        {
            var target = new IPEndPoint(IPAddress.Parse(address), MptcpRig.Port + 1);
            using Socket fallen = rig.Client.Run(() => MptcpSocket.Create(target.AddressFamily));
            await fallen.ConnectAsync(target, rig.Patience);
            using Socket plain = await plainListener.AcceptAsync(rig.Patience);
            await rig.TransferAsync(fallen, plain, 1);
            MptcpCheck.VerdictOf(fallen).ShouldBe(MptcpVerdict.FellBack);
            MptcpCheck.VerdictByInfo(fallen).ShouldBe(MptcpVerdict.FellBack);
            MptcpCheck.VerdictOf(plain).ShouldBe(MptcpVerdict.Tcp);
            MptcpSampler.TryRead(fallen, new MptcpSubflow[2], out _).ShouldBeOneOf(Libc.EOPNOTSUPP, Libc.ENOPROTOOPT);
            TcpInfo.TryRead(fallen, out TcpInfo tcp).ShouldBe(0);
            tcp.State.ShouldBe(TcpState.Established);
        }

        // A plain peer at an MPTCP listener.
        using Socket tcpClient = rig.Client.Run(() => TcpSocket.Create(AddressFamily.InterNetwork));
        await tcpClient.ConnectAsync(new IPEndPoint(IPAddress.Parse("10.7.1.2"), MptcpRig.Port), rig.Patience);
        using Socket accepted = await listener.AcceptAsync(rig.Patience);
        MptcpCheck.VerdictOf(tcpClient).ShouldBe(MptcpVerdict.Tcp);
        MptcpCheck.VerdictOf(accepted).ShouldBe(MptcpVerdict.Tcp);
        MptcpCheck.VerdictByInfo(accepted).ShouldBe(MptcpVerdict.Tcp);
    }

    private static async Task<List<LinkInfo>> OpenLinksAsync(MptcpRig rig)
    {
        using RouteSocket socket = rig.Client.Run(RouteSocket.Open);
        return await socket.LinksAsync();
    }
}
