using System.Net;
using System.Net.Sockets;
using Aggregator.Lab.Emulation;
using Aggregator.Lab.Topology;
using Aggregator.Mptcp;
using Shouldly;
using Xunit;

namespace Aggregator.Network.Tests.Lab;

/// <summary>The box that meddles with MPTCP, against the kernel's MPTCP: what each kind of interference makes of a connection, at both ends.</summary>
public sealed class MiddleboxTests
{
    /// <summary>Enough to pass the first data, its acknowledgements, and what follows.</summary>
    private const int Rounds = 5;

    private const int Port = 4000;

    public static TheoryData<int, bool, bool, bool?> Interferences => new()
    {
        // What, over IPv6, whether the client still speaks MPTCP, and the server (null: that depends on time).
        { (int)MptcpInterference.None, false, true, true },
        { (int)MptcpInterference.None, true, true, true },
        { (int)MptcpInterference.StripAll, false, false, false },
        { (int)MptcpInterference.StripAll, true, false, false },
        { (int)MptcpInterference.StripSyn, false, false, false },
        { (int)MptcpInterference.StripSynAck, false, false, false },
        { (int)MptcpInterference.StripSynAck, true, false, false },
        { (int)MptcpInterference.StripDataUp, false, false, false },

        // The client learns it at once; the server believes in MPTCP until it has had enough plain data from the client.
        { (int)MptcpInterference.StripDataDown, false, false, null },
        { (int)MptcpInterference.StripJoin, false, true, true },
    };

    [SkippableTheory]
    [MemberData(nameof(Interferences))]
    public async Task A_connection_goes_on_as_what_is_left_of_it(int interference, bool v6, bool clientSpeaks, bool? serverSpeaks)
    {
        await using var lab = await LabTest.CreateAsync(
            new WanSpec("a") { DownMbps = 50, UpMbps = 50, DelayMs = 2, Interference = (MptcpInterference)interference });
        var (listener, client, server) = await ConnectAsync(lab, v6 ? LabAddresses.VpsV6 : LabAddresses.Vps, v6 ? lab.Wans[0].AddressV6! : lab.Wans[0].Address!);
        using (listener)
        using (client)
        using (server)
        {
            await ExchangeAsync(client, server);
            (MptcpCheck.VerdictOf(client) == MptcpVerdict.Mptcp).ShouldBe(clientSpeaks);
            if (serverSpeaks is not null)
            {
                (MptcpCheck.VerdictOf(server) == MptcpVerdict.Mptcp).ShouldBe(serverSpeaks.Value);
            }
        }

        bool strips = interference is not ((int)MptcpInterference.None or (int)MptcpInterference.StripJoin);
        var (up, down) = (lab.Wans[0].Up.Counters, lab.Wans[0].Down.Counters);
        (up.PacketsStripped + down.PacketsStripped > 0).ShouldBe(strips);
        string checksums = await lab.Vps.ShellAsync("nstat -asz TcpInCsumErrors Ip6InHdrErrors") + await lab.Gateway.ShellAsync("nstat -asz TcpInCsumErrors");
        checksums.Split('\n').Where(l => l.StartsWith("Tcp", StringComparison.Ordinal)).ShouldAllBe(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1] == "0");
    }

    [SkippableTheory]
    [InlineData((int)MptcpInterference.None, true)]
    [InlineData((int)MptcpInterference.StripJoin, false)]
    [InlineData((int)MptcpInterference.StripAll, false)]
    [InlineData((int)MptcpInterference.DropJoinSyn, false)]
    public async Task A_second_path_is_joined_only_where_the_box_lets_it(int interference, bool joins)
    {
        await using var lab = await LabTest.CreateAsync(
            new WanSpec("a") { DownMbps = 50, UpMbps = 50, DelayMs = 2 },
            new WanSpec("b") { DownMbps = 50, UpMbps = 50, DelayMs = 2, Interference = (MptcpInterference)interference });
        await lab.Vps.OutputAsync("ip", "mptcp", "limits", "set", "subflow", "8", "add_addr_accepted", "8");
        await lab.Gateway.OutputAsync("ip", "mptcp", "limits", "set", "subflow", "8", "add_addr_accepted", "8");
        await lab.Gateway.OutputAsync("ip", "mptcp", "endpoint", "add", lab.Wans[1].Address!.ToString(), "dev", "wan2", "subflow");

        var (listener, client, server) = await ConnectAsync(lab, LabAddresses.Vps, lab.Wans[0].Address!);
        using (listener)
        using (client)
        using (server)
        {
            await ExchangeAsync(client, server);
            await LabTest.UntilAsync(() => lab.Wans[1].Up.Counters.PacketsIn > 1, "the join was tried");
            if (joins)
            {
                await LabTest.UntilAsync(() => Count(lab.Gateway, "MPTcpExtMPJoinSynAckRx").Result == 1, "the path was joined");
            }
            else
            {
                // Long past the round trip, 4 ms, and the first repetition of a SYN, 1 s.
                await Task.Delay(TimeSpan.FromSeconds(1.3));
                (await Count(lab.Gateway, "MPTcpExtMPJoinSynAckRx")).ShouldBe(0);
                var up = lab.Wans[1].Up.Counters;
                (up.PacketsStripped + up.PacketsDroppedByMiddlebox).ShouldBeGreaterThan(0);
            }

            MptcpCheck.VerdictOf(client).ShouldBe(MptcpVerdict.Mptcp, "the connection itself lives");
            await ExchangeAsync(client, server);
        }
    }

    [SkippableFact]
    public async Task Interference_changed_live_meets_the_next_connection()
    {
        await using var lab = await LabTest.CreateAsync(new WanSpec("a") { DownMbps = 50, UpMbps = 50, DelayMs = 2 });
        foreach (var (interference, speaks) in new[] { (MptcpInterference.None, true), (MptcpInterference.StripAll, false), (MptcpInterference.None, true) })
        {
            lab.Wans[0].Interference = interference;
            var (listener, client, server) = await ConnectAsync(lab, LabAddresses.Vps, lab.Wans[0].Address!);
            using (listener)
            using (client)
            using (server)
            {
                await ExchangeAsync(client, server);
                (MptcpCheck.VerdictOf(client) == MptcpVerdict.Mptcp).ShouldBe(speaks);
            }
        }
    }

    private static async Task<long> Count(LabHost host, string counter)
    {
        string text = await host.OutputAsync("nstat", "-asz", counter);
        return long.Parse(text.Split('\n').First(l => l.StartsWith(counter, StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]);
    }

    /// <summary>The listener stays: joins come to it.</summary>
    private static async Task<(Socket Listener, Socket Client, Socket Server)> ConnectAsync(NetworkLab lab, IPAddress target, IPAddress source)
    {
        var listener = lab.Vps.InNamespace(() =>
            StreamSockets.Listen(MptcpSocket.Create(AddressFamily.InterNetworkV6), new IPEndPoint(IPAddress.IPv6Any, Port), 8, null));
        var accepted = listener.AcceptAsync();
        var client = lab.Gateway.InNamespace(() =>
        {
            var socket = MptcpSocket.Create(target.AddressFamily);
            socket.Bind(new IPEndPoint(source, 0));
            return socket;
        });
        await client.ConnectAsync(new IPEndPoint(target, Port)).WaitAsync(TimeSpan.FromSeconds(10));
        return (listener, client, await accepted.WaitAsync(TimeSpan.FromSeconds(10)));
    }

    private static async Task ExchangeAsync(Socket client, Socket server)
    {
        byte[] request = new byte[3000];
        Random.Shared.NextBytes(request);
        byte[] received = new byte[request.Length];
        for (int i = 0; i < Rounds; i++)
        {
            foreach (var (from, to) in new[] { (client, server), (server, client) })
            {
                await from.SendAsync(request).WaitAsync(TimeSpan.FromSeconds(10));
                for (int got = 0; got < received.Length;)
                {
                    int read = await to.ReceiveAsync(received.AsMemory(got)).AsTask().WaitAsync(TimeSpan.FromSeconds(10));
                    read.ShouldBeGreaterThan(0);
                    got += read;
                }

                received.ShouldBe(request);
            }
        }
    }
}
