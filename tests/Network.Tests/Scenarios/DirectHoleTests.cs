using System.Net;
using System.Net.Sockets;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Aggregator.Network.Tests.Scenarios;

/// <summary>Direct flows of both families while one line swallows everything and nobody probes it (there is no VPS to ask).</summary>
[Collection(ScenarioCollection.Name)]
public sealed class DirectHoleTests(ITestOutputHelper output)
{
    private const int Port = 9000;

    /// <summary>More than the lead that a client's connections may have on their line.</summary>
    private const int Many = 60;

    private const int Few = 20;

    private static readonly TimeSpan Generous = TimeSpan.FromSeconds(60);

    [SkippableFact]
    public async Task New_flows_of_both_families_go_round_a_silent_line_and_come_back_to_it()
    {
        await using Scene scene = await Scene.PrepareAsync(new ProductSettings { GatewayMore = "fallback: direct\n" });
        scene.Serve(Port, async socket =>
        {
            await socket.SendAsync(((IPEndPoint)socket.RemoteEndPoint!).Address.MapToIPv6().GetAddressBytes());
            await TargetServer.EchoAsync(socket);
        });
        scene.Product.StartGateway();
        await scene.Product.WaitForStatusAsync(s => s.GetProperty("direct").GetProperty("active").GetBoolean(), "direct mode", Generous);

        (IPAddress Target, IPAddress[] Own)[] families =
        [
            (LabAddresses.Internet, [LabAddresses.Wan(1), LabAddresses.Wan(2)]),
            (LabAddresses.InternetV6, [LabAddresses.WanV6(1), LabAddresses.WanV6(2)]),
        ];
        foreach ((IPAddress target, IPAddress[] own) in families)
        {
            (await SourcesAsync(scene, target, Many)).ShouldBe(own, ignoreOrder: true);
        }

        scene.Lab.Wans["fibre"].BlackHole = true;
        foreach ((IPAddress target, IPAddress[] own) in families)
        {
            // Whatever still begins on the silent line goes on over the other.
            (await SourcesAsync(scene, target, Few)).ShouldBe([own[1]]);
        }

        scene.Lab.Wans["fibre"].BlackHole = false;
        using var limit = new CancellationTokenSource(Generous);
        while (!(await SourcesAsync(scene, families[1].Target, Many)).Contains(families[1].Own[0]))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(500), limit.Token);
        }
    }

    /// <summary>Addresses that the server sees of so many connections, one after the other in tens.</summary>
    private async Task<IPAddress[]> SourcesAsync(Scene scene, IPAddress target, int count)
    {
        var sources = new List<IPAddress>();
        while (sources.Count < count)
        {
            sources.AddRange(await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => SourceAsync(scene, target))));
        }

        output.WriteLine(string.Join(", ", sources.CountBy(s => s).Select(s => $"{s.Value} from {s.Key}")));
        return [.. sources.Distinct()];
    }

    private static async Task<IPAddress> SourceAsync(Scene scene, IPAddress target)
    {
        using Socket socket = scene.Lab.Client.InNamespace(() => new Socket(target.AddressFamily, SocketType.Stream, ProtocolType.Tcp));
        using var limit = new CancellationTokenSource(Generous);
        await socket.ConnectAsync(new IPEndPoint(target, Port), limit.Token);
        byte[] address = new byte[16];
        await SocksClient.ReadAsync(socket, address, limit.Token);
        var source = new IPAddress(address);
        return source.IsIPv4MappedToIPv6 ? source.MapToIPv4() : source;
    }
}
