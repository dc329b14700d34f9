using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Aggregator.Network.Tests.Scenarios;
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

    private static async Task AskBothAsync(UnfilteredGateway gateway)
    {
        await gateway.AskAsync(Udp(Own, OwnPort));
        await gateway.AskAsync(Udp(OwnV6, OwnPort));
    }

    private static byte[] Udp(IPAddress from, int port) => TestPackets.Udp(
        from, from.AddressFamily == AddressFamily.InterNetwork ? LabAddresses.Internet : LabAddresses.InternetV6, 5555, (ushort)port, 100);
}
