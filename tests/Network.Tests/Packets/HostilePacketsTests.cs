using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Aggregator.Network.Tests.Scenarios;
using Aggregator.Packets;
using Aggregator.Shared.Tests.Packets;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Aggregator.Network.Tests.Packets;

/// <summary>Packets that lie, from a gateway and from a client of its LAN, as the internet sees them.</summary>
[Collection(ScenarioCollection.Name)]
public sealed class HostilePacketsTests(PacketLab lab, ITestOutputHelper output) : IClassFixture<PacketLab>
{
    private const int ForeignPort = 7041;
    private const int OwnPort = 7042;
    private const int Each = 5;
    private const ushort MixedPort = 7043;
    private const ushort PiecesPort = 7044;
    private const ushort TcpPort = 7045;

    /// <summary>Where TCP comes from in <see cref="TestPackets"/>.</summary>
    private const ushort SynPort = 40_000;

    private static readonly IPAddress Own = IPAddress.Parse("192.168.88.9");
    private static readonly IPAddress OwnV6 = IPAddress.Parse("fd00:c0a8:88::9");

    /// <summary>Another gateway's, the VPS's own, its neighbours', anybody's, nobody's.</summary>
    private static readonly IPAddress[] Foreign =
    [
        LabAddresses.Client, LabAddresses.Vps, LabAddresses.VpsRouter, LabAddresses.InternetRouter, IPAddress.Parse("203.0.113.9"), IPAddress.Loopback, IPAddress.Any,
        IPAddress.Broadcast, IPAddress.Parse("192.168.89.1"), LabAddresses.ClientV6, LabAddresses.VpsV6, LabAddresses.InternetRouterV6, IPAddress.IPv6Loopback,
        IPAddress.IPv6Any, IPAddress.Parse("fe80::1"), IPAddress.Parse("fd00:c0a8:89::1"),
    ];

    [SkippableFact]
    public async Task A_gateway_that_does_not_filter_gets_nothing_of_others_out_at_the_VPS()
    {
        Scene scene = await lab.SceneAsync();
        LabHost internet = scene.Lab.Internet;
        var foreign = new ConcurrentBag<byte[]>();
        using Socket own4 = PacketLab.Echo(internet, LabAddresses.Internet, OwnPort, _ => { });
        using Socket own6 = PacketLab.Echo(internet, LabAddresses.InternetV6, OwnPort, _ => { });
        using Socket foreign4 = PacketLab.Echo(internet, LabAddresses.Internet, ForeignPort, foreign.Add);
        using Socket foreign6 = PacketLab.Echo(internet, LabAddresses.InternetV6, ForeignPort, foreign.Add);
        string filter = $"udp and (port {ForeignPort} or port {OwnPort})";
        LabProcess[] captures = [await PacketLab.CaptureAsync(internet, filter), await PacketLab.CaptureAsync(scene.Lab.Vps, filter)];
        await using UnfilteredGateway gateway = await UnfilteredGateway.StartAsync(scene.Product, "192.168.88.0/24", "fd00:c0a8:88::/64");
        await AskBothAsync(gateway);
        foreach (IPAddress source in Foreign)
        {
            for (int i = 0; i < Each; i++)
            {
                gateway.Send(Udp(source, ForeignPort));
            }
        }

        JsonElement counted = await PacketLab.WaitForCountAsync(scene, UnfilteredGateway.Name, "in_refused", Foreign.Length * Each);
        output.WriteLine(counted.ToString());
        counted.GetProperty("in_refused").GetInt64().ShouldBe(Foreign.Length * Each);

        // What is no packet is not written to the device either.
        (Action<byte[]> Lie, bool IsPartial)[] lies =
        [
            (p => p[3] += 20, false), (p => p[3] -= 20, false), (p => p[2] = 0xff, false), (p => p[0] = 0x42, false), (p => p[0] = 0x55, false),
            (p => p[0] = 0x60, false), (p => p[9] = 1, true), (p => p[6] = 0x20, true),
        ];
        foreach (var (lie, isPartial) in lies)
        {
            gateway.Send(Udp(Own, ForeignPort), lie, isPartial);
        }

        // A longer header than there is, which is data then: well-formed, but its sum is wrong, and that is the kernel's to find.
        gateway.Send(Udp(Own, ForeignPort), p => p[0] = 0x4f);
        counted = await PacketLab.WaitForCountAsync(scene, UnfilteredGateway.Name, "in_malformed", lies.Length);
        output.WriteLine(counted.ToString());
        counted.GetProperty("in_malformed").GetInt64().ShouldBe(lies.Length);

        // Its own go on, and have the VPS's address outside. Who waits for their answers has waited for what went before them.
        await AskBothAsync(gateway);
        foreign.ShouldBeEmpty();
        foreach (LabProcess capture in captures)
        {
            string seen = string.Join('\n', capture.Output);
            seen.ShouldContain($".{OwnPort}");
            seen.ShouldNotContain($".{ForeignPort}");
        }

        captures[0].Output.Count(l => l.Contains($"{LabAddresses.Vps}.", StringComparison.Ordinal)).ShouldBeGreaterThan(0);
        captures[0].Output.ShouldAllBe(l => !l.Contains("192.168.88.", StringComparison.Ordinal) && !l.Contains("fd00:c0a8:88:", StringComparison.Ordinal));
    }

    [SkippableFact]
    public async Task A_wrong_checksum_is_never_made_right_and_nothing_untranslated_leaves_the_VPS()
    {
        Scene scene = await lab.SceneAsync();
        LabHost internet = scene.Lab.Internet;
        var came = new ConcurrentDictionary<byte, int>();
        var whole = new ConcurrentBag<byte[]>();
        using Socket echo = PacketLab.Echo(internet, LabAddresses.Internet, MixedPort, d => came.AddOrUpdate(d[0], 1, (_, n) => n + 1));
        using Socket pieces = PacketLab.Echo(internet, LabAddresses.Internet, PiecesPort, whole.Add);
        int opened = 0;
        scene.Serve(TcpPort, socket =>
        {
            Interlocked.Increment(ref opened);
            return TargetServer.EchoAsync(socket);
        });
        LabProcess outside = await PacketLab.CaptureAsync(internet, $"ip and (net 192.168.77.0/24 or dst port {MixedPort} or dst port {PiecesPort} or dst port {TcpPort})");

        // One flow, right and wrong ones in turn, quick enough to be put into super-packets: 1 is right, 2 wrong, 3 has none, which IPv4 allows.
        byte[][] mixed = [.. Enumerable.Range(0, 300).Select(i => Mixed((byte)(i % 7 == 3 ? 2 : i % 11 == 5 ? 3 : 1)))];
        await UntilAsync(() => lab.SendRawAsync(mixed), () => came.ContainsKey(1) && came.ContainsKey(3), "the right ones");
        came.Keys.Order().ShouldBe([(byte)1, (byte)3]);

        // TCP: nobody answers a SYN whose sum is wrong.
        byte[] syn = Tcp(TcpPort);
        syn[36] ^= 0x55;
        await lab.SendRawAsync(Enumerable.Repeat(syn, 5));

        // What is cut off, and what says that it is longer or shorter than it is; none of it is one that came out whole.
        byte[] udp = Client(PiecesPort, 100);
        await lab.SendRawAsync(
            udp[..8], udp[..20], udp[..27], udp[..60], Changed(udp, 3, 20), Changed(udp, 3, -20), Changed(udp, 0, -1), Changed(udp, 25, 20), Changed(udp, 25, -20), Changed(udp, 10, 1));

        // Fragments, the last first, until all found together once.
        byte[] large = new byte[4000];
        new Random(4).NextBytes(large);
        large[0] = 9;
        byte[][] fragments = [.. Fragments(large).Reverse()];
        await UntilAsync(() => lab.SendRawAsync(fragments), () => !whole.IsEmpty, "fragments of a large datagram");
        whole.ShouldAllBe(d => d.SequenceEqual(large));

        // All goes on: TCP whose sum is right, over the same way.
        await scene.Curl.DownloadAsync(WayIn.TransparentV4, 1, 500_000);
        using Socket right = scene.Lab.Client.InNamespace(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
        await right.ConnectAsync(new IPEndPoint(LabAddresses.Internet, TcpPort));
        await right.SendAsync(new byte[] { 1 });
        await SocksClient.ReadAsync(right, new byte[1], CancellationToken.None);
        opened.ShouldBe(1);
        outside.Output.ShouldAllBe(l => !l.Contains($".{SynPort} > ", StringComparison.Ordinal));
        came.Keys.Order().ShouldBe([(byte)1, (byte)3]);

        // What the VPS's kernel does not know for a connection it does not translate: it would go out with a private address.
        outside.Output.Count(l => l.Contains($"{LabAddresses.Vps}.", StringComparison.Ordinal)).ShouldBeGreaterThan(0);
        outside.Output.ShouldAllBe(l => !l.Contains("192.168.77.", StringComparison.Ordinal));
    }

    private static async Task AskBothAsync(UnfilteredGateway gateway)
    {
        await gateway.AskAsync(Udp(Own, OwnPort));
        await gateway.AskAsync(Udp(OwnV6, OwnPort));
    }

    private static byte[] Udp(IPAddress from, int port) => TestPackets.Udp(
        from, from.AddressFamily == AddressFamily.InterNetwork ? LabAddresses.Internet : LabAddresses.InternetV6, 5555, (ushort)port, 100);

    private static async Task UntilAsync(Func<Task> again, Func<bool> holds, string what)
    {
        long began = Stopwatch.GetTimestamp();
        while (!holds())
        {
            Stopwatch.GetElapsedTime(began).ShouldBeLessThan(TimeSpan.FromSeconds(30), what);
            await again();
            await Task.Delay(100);
        }
    }

    /// <summary>A small UDP packet of the client's that is of the kind it says: 1 right, 2 with a wrong checksum, 3 without one.</summary>
    private static byte[] Mixed(byte kind)
    {
        byte[] packet = TestPackets.Udp(LabAddresses.Client, LabAddresses.Internet, 5556, MixedPort, 100, kind);
        packet[26] = kind == 3 ? (byte)0 : (byte)(packet[26] ^ (kind == 2 ? 0x55 : 0));
        packet[27] = kind == 3 ? (byte)0 : packet[27];
        return packet;
    }

    private static byte[] Client(ushort port, int payload) => TestPackets.Udp(LabAddresses.Client, LabAddresses.Internet, 5557, port, payload, 2);

    private static byte[] Tcp(ushort port)
    {
        byte[] packet = TestPackets.Tcp(LabAddresses.Client, LabAddresses.Internet, 1000, 0x02, []);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(22), port);
        PacketInfo.TryRead(packet, out var info).ShouldBeTrue();
        Checksum.WritePartial(packet, info);
        Checksum.Complete(packet, info);
        return packet;
    }

    private static byte[] Changed(byte[] packet, int at, int by)
    {
        byte[] changed = [.. packet];
        changed[at] = (byte)(changed[at] + by);
        if (at < 10)
        {
            // The header's own sum is right: it is the lie that is to be found.
            changed[10] = changed[11] = 0;
            BinaryPrimitives.WriteUInt16BigEndian(changed.AsSpan(10), (ushort)~Checksum.Fold(Checksum.Sum(changed.AsSpan(0, 20))));
        }

        return changed;
    }

    /// <summary>A UDP datagram in IP packets of at most 1,500 bytes.</summary>
    private static IEnumerable<byte[]> Fragments(byte[] payload)
    {
        const int PieceBytes = 1480;
        byte[] all = Client(PiecesPort, payload.Length);
        payload.CopyTo(all, 28);
        PacketInfo.TryRead(all, out var info).ShouldBeTrue();
        Checksum.WritePartial(all, info);
        Checksum.Complete(all, info);
        for (int at = 0; at < all.Length - 20; at += PieceBytes)
        {
            byte[] piece = [.. all[..20], .. all.Skip(20 + at).Take(PieceBytes)];
            bool isLast = 20 + at + PieceBytes >= all.Length;
            BinaryPrimitives.WriteUInt16BigEndian(piece.AsSpan(2), (ushort)piece.Length);
            BinaryPrimitives.WriteUInt16BigEndian(piece.AsSpan(6), (ushort)((at / 8) | (isLast ? 0 : 0x2000)));
            Checksum.WriteV4Header(piece);
            yield return piece;
        }
    }
}
