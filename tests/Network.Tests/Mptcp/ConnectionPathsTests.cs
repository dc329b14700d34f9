using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Aggregator.Gateway.Carriers;
using Aggregator.Mptcp;
using Aggregator.Network.Tests.Lab;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;

namespace Aggregator.Network.Tests.Mptcp;

/// <summary>Subflows of single connections on the real path manager: what was lost comes back, and nobody else's is touched.</summary>
public sealed class ConnectionPathsTests
{
    private static readonly TimeSpan Generous = TimeSpan.FromSeconds(30);
    private static readonly IPAddress First = IPAddress.Parse("10.7.1.1"), Second = IPAddress.Parse("10.7.2.1");

    private ImmutableArray<JoinPath> _wanted = [];

    [SkippableFact]
    public async Task A_lost_subflow_comes_back_and_no_others_are_touched()
    {
        await using MptcpRig rig = await PreparedAsync();
        await using ConnectionPaths paths = await OpenAsync(rig);
        using SubflowSockets sockets = rig.Client.Run(SubflowSockets.Open);
        using Socket listener = rig.Listen();
        (Socket hit, Socket hitPeer) = await rig.ConnectAsync(listener);
        (Socket other, Socket otherPeer) = await rig.ConnectAsync(listener);
        using Socket a = hit, b = hitPeer, c = other, d = otherPeer;
        await rig.TransferAsync(hit, hitPeer, 1000);
        await rig.TransferAsync(other, otherPeer, 1000);
        await WantAsync(rig, paths, (First, false), (Second, false));
        foreach (Socket socket in (Socket[])[hit, other])
        {
            paths.Keep(socket, default);
        }

        await LabTest.UntilAsync(() => Established(hit).Length == 2 && Established(other).Length == 2, "both joined", Generous);
        string[] before = Established(other);
        string[] own = Established(hit);

        // The joined one, then the first one: the connection's own beginning is no more than another subflow.
        foreach (IPAddress local in (IPAddress[])[Second, First])
        {
            foreach (SubflowSocket lost in (await sockets.FromAsync(local)).Where(s => own.Contains($"{s.Local}")))
            {
                (await sockets.EndAsync(lost)).ToString().ShouldBe("ok");
            }

            await LabTest.UntilAsync(() => Established(hit).Count(own.Contains) == 1, "its end", Generous);
            await LabTest.UntilAsync(() => Established(hit).Length == 2, "its return", Generous);
            Established(other).ShouldBe(before, ignoreOrder: true);
            own = Established(hit);
            await rig.TransferAsync(hit, hitPeer, 1_000_000);
            await rig.TransferAsync(hitPeer, hit, 1_000_000);
        }

        own.ShouldContain(s => s.StartsWith($"{First}:"));
        await rig.TransferAsync(other, otherPeer, 1_000_000);
        Established(other).ShouldBe(before, ignoreOrder: true);
    }

    [SkippableFact]
    public async Task A_path_that_goes_takes_its_subflows_along_at_both_ends_and_a_backup_carries_nothing()
    {
        await using MptcpRig rig = await PreparedAsync();
        await using ConnectionPaths paths = await OpenAsync(rig);
        using Socket listener = rig.Listen();
        (Socket client, Socket server) = await rig.ConnectAsync(listener);
        using Socket a = client, b = server;
        await rig.TransferAsync(client, server, 1000);
        await WantAsync(rig, paths, (First, false), (Second, true));
        paths.Keep(client, default);
        for (int round = 0; round < 2; round++)
        {
            await LabTest.UntilAsync(() => Established(client).Length == 2 && Established(server).Length == 2, "the backup", Generous);
            ulong sent = BytesFrom(client, Second);
            await rig.TransferAsync(client, server, 4_000_000);
            (BytesFrom(client, Second) - sent).ShouldBe(0UL);

            // Turned round, everything moves over.
            await WantAsync(rig, paths, (First, true), (Second, false));
            for (ulong moved = 0; moved < 1_000_000; moved = BytesFrom(client, Second) - sent)
            {
                sent = BytesFrom(client, Second);
                await rig.TransferAsync(client, server, 1_000_000);
            }

            // The first subflow's place goes, then the other one's.
            foreach ((IPAddress gone, IPAddress left) in ((IPAddress, IPAddress)[])[(First, Second), (Second, First)])
            {
                await WantAsync(rig, paths, (left, false));
                await LabTest.UntilAsync(() => AllFrom(client, left) && Established(server).Length == 1, $"the end of {gone}", Generous);
                await rig.TransferAsync(client, server, 1_000_000);
                await rig.TransferAsync(server, client, 1_000_000);
                await WantAsync(rig, paths, (First, false), (Second, gone.Equals(Second)));
                await LabTest.UntilAsync(() => Established(client).Length == 2, $"the return of {gone}", Generous);
            }
        }
    }

    [SkippableFact]
    public async Task Connections_that_end_are_forgotten_and_plain_ones_are_left_alone()
    {
        await using MptcpRig rig = await PreparedAsync();
        await using ConnectionPaths paths = await OpenAsync(rig);
        await WantAsync(rig, paths, (First, false), (Second, false));
        using Socket listener = rig.Listen();
        for (int i = 0; i < 20; i++)
        {
            (Socket client, Socket server) = await rig.ConnectAsync(listener);
            using Socket a = client, b = server;
            await rig.TransferAsync(client, server, 100);
            paths.Keep(client, default);
        }

        await LabTest.UntilAsync(() => paths.Kept == 0, "none is kept", Generous);
        rig.Server.SetSysctl("net.mptcp.enabled", "0");
        using Socket plain = rig.Server.Run(() => TcpSocket.Listen(new IPEndPoint(IPAddress.IPv6Any, MptcpRig.Port + 1), 16));
        using Socket fallen = rig.Client.Run(() => MptcpSocket.Create(AddressFamily.InterNetwork));
        await fallen.ConnectAsync(new IPEndPoint(IPAddress.Parse("10.7.1.2"), MptcpRig.Port + 1), rig.Patience);
        using Socket end = await plain.AcceptAsync(rig.Patience);
        paths.Keep(fallen, default);
        await rig.TransferAsync(fallen, end, 100_000);
        paths.Kept.ShouldBe(0);
    }

    private static async Task<MptcpRig> PreparedAsync()
    {
        MptcpRig rig = await MptcpRig.CreateAsync();
        rig.Client.SetSysctl("net.mptcp.pm_type", "1");
        return rig;
    }

    private async Task<ConnectionPaths> OpenAsync(MptcpRig rig) =>
        (await rig.Client.Run(() => ConnectionPaths.OpenAsync(() => _wanted, TimeProvider.System, NullLogger.Instance, rig.Patience)))!;

    private async Task WantAsync(MptcpRig rig, ConnectionPaths paths, params (IPAddress Address, bool Backup)[] wanted)
    {
        var indexes = new Dictionary<IPAddress, int>();
        foreach ((IPAddress address, string device) in ((IPAddress, string)[])[(First, "wan1"), (Second, "wan2")])
        {
            string shown = await rig.Client.IpAsync($"-o link show {device}");
            indexes[address] = int.Parse(shown[..shown.IndexOf(':', StringComparison.Ordinal)], System.Globalization.CultureInfo.InvariantCulture);
        }

        _wanted = [.. wanted.Select(w => new JoinPath(w.Address, indexes[w.Address], w.Backup))];
        paths.Wake();
    }

    private static MptcpSubflow[] Subflows(Socket socket)
    {
        var subflows = new MptcpSubflow[9];
        MptcpSampler.TryRead(socket, subflows, out MptcpSample sample).ShouldBe(0);
        return subflows[..sample.Count];
    }

    /// <summary>By where they begin.</summary>
    private static string[] Established(Socket socket) => [.. Subflows(socket).Where(s => s.Tcp.State == TcpState.Established).Select(s => s.Local.ToString())];

    private static bool AllFrom(Socket socket, IPAddress local) =>
        Subflows(socket).Where(s => s.Tcp.State == TcpState.Established).ToArray() is { Length: 1 } left && left[0].Local.Has(local);

    private static ulong BytesFrom(Socket socket, IPAddress local) => Subflows(socket).Where(s => s.Local.Has(local)).Aggregate(0UL, (sum, s) => sum + s.Tcp.BytesSent);
}
