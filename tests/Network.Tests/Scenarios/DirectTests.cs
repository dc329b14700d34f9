using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Aggregator.Network.Tests.Lab;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Aggregator.Network.Tests.Scenarios;

/// <summary>Without a VPS: clients go out over the WANs, by weight, each flow with its WAN's own address.</summary>
[Collection(ScenarioCollection.Name)]
public sealed class DirectTests(ITestOutputHelper output)
{
    private const int EchoPort = 9000;
    private const int UdpPort = 9001;
    private const int Connections = 1000;
    private static readonly TimeSpan Generous = TimeSpan.FromSeconds(40);
    private static readonly string Fibre = LabAddresses.Wan(1).ToString();
    private static readonly string Lte = LabAddresses.Wan(2).ToString();
    private static readonly string Vps = LabAddresses.Vps.ToString();

    [SkippableFact]
    public async Task Clients_go_out_by_weight_and_come_back_to_the_carrier()
    {
        await using Scene scene = await Scene.StartAsync(new ProductSettings
        {
            GatewayMore = "fallback: direct\n",
            WanMore = new Dictionary<string, string> { ["fibre"] = "    weight: 3\n", ["lte"] = "    weight: 2\n" },
        });
        scene.Serve(EchoPort, async socket =>
        {
            await socket.SendAsync(((IPEndPoint)socket.RemoteEndPoint!).Address.MapToIPv4().GetAddressBytes());
            await TargetServer.EchoAsync(socket);
        });
        using var udp = UdpEcho(scene.Lab.Internet);
        (await SourceAsync(scene)).Item2.ShouldBe(Vps);

        (await scene.Product.Vps.StopAsync()).ShouldBe(0);
        await scene.Product.WaitForStatusAsync(s => s.GetProperty("direct").GetProperty("active").GetBoolean(), "direct mode", Generous);

        // A client's first few stay together.
        var few = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => SourceAsync(scene)));
        few.Select(f => f.Source).Distinct().Count().ShouldBe(1, "a page's connections come from one address");

        // Held for the whole test: what happens to other WANs and to the VPS is nothing to them.
        var held = new List<(Socket Socket, string Source)>();
        var sources = new ConcurrentDictionary<string, int>();
        for (int i = 0; i < Connections; i += 50)
        {
            foreach (var (socket, source) in await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => SourceAsync(scene))))
            {
                sources.AddOrUpdate(source, 1, (_, n) => n + 1);
                if (held.Count(h => h.Source == source) < 10)
                {
                    held.Add((socket, source));
                }
                else
                {
                    socket.Dispose();
                }
            }
        }

        output.WriteLine($"{Connections} connections: {string.Join(", ", sources.Select(s => $"{s.Key} {s.Value}"))}");
        sources.Keys.ShouldBe([Fibre, Lte], ignoreOrder: true);
        (sources[Fibre] / (double)Connections).ShouldBeInRange(0.55, 0.65);

        var datagrams = await Task.WhenAll(Enumerable.Range(0, 400).Select(_ => DatagramSourceAsync(scene)));
        output.WriteLine($"400 UDP flows: {datagrams.Count(d => d == Fibre)} over fibre, {datagrams.Count(d => d == Lte)} over lte");
        datagrams.Where(d => d != Fibre && d != Lte).ShouldBeEmpty();
        (datagrams.Count(d => d == Fibre) / 400.0).ShouldBeInRange(0.5, 0.7);

        await scene.Lab.Wans["lte"].CarrierAsync(false);
        await Task.WhenAll(held.Where(h => h.Source == Lte).Select(h => EndsAsync(h.Socket)));
        (await Task.WhenAll(Enumerable.Range(0, 40).Select(_ => SourceAsync(scene)))).Select(s => s.Source).Distinct().ShouldBe([Fibre]);
        (await DatagramSourceAsync(scene)).ShouldBe(Fibre);
        await Task.WhenAll(held.Where(h => h.Source == Fibre).Select(h => AnswersAsync(h.Socket)));
        await scene.Lab.Wans["lte"].CarrierAsync(true);

        await scene.Product.StartVpsAsync();
        await scene.Product.WaitForStatusAsync(s => !s.GetProperty("direct").GetProperty("active").GetBoolean(), "carried again", Generous);
        (await SourceAsync(scene)).Source.ShouldBe(Vps);
        await Task.WhenAll(held.Where(h => h.Source == Fibre).Select(h => AnswersAsync(h.Socket)));
        foreach (var (socket, _) in held)
        {
            socket.Dispose();
        }

        (await scene.Product.GatewayCommandAsync("down")).OutputOrThrow();
        string tables = await scene.Lab.Gateway.OutputAsync("nft", "list", "tables");
        tables.ShouldNotContain("aggregator");
        (await scene.Lab.Gateway.OutputAsync("ip", "rule")).ShouldNotContain("fwmark");
    }

    /// <summary>A transparent connection of the client, and the address that the server sees.</summary>
    private static async Task<(Socket Socket, string Source)> SourceAsync(Scene scene)
    {
        Socket socket = SocksClient.Sockets(scene.Lab.Client, 1)[0];
        using var limit = new CancellationTokenSource(Generous);
        await socket.ConnectAsync(new IPEndPoint(LabAddresses.Internet, EchoPort), limit.Token);
        byte[] address = new byte[4];
        await SocksClient.ReadAsync(socket, address, limit.Token);
        return (socket, new IPAddress(address).ToString());
    }

    private static async Task AnswersAsync(Socket socket)
    {
        using var limit = new CancellationTokenSource(Generous);
        await socket.SendAsync(new byte[] { 1 }, limit.Token);
        await SocksClient.ReadAsync(socket, new byte[1], limit.Token);
    }

    private static async Task EndsAsync(Socket socket)
    {
        using var limit = new CancellationTokenSource(Generous);
        try
        {
            (await socket.ReceiveAsync(new byte[1], limit.Token)).ShouldBe(0);
        }
        catch (SocketException)
        {
            // Reset.
        }
    }

    private static Socket UdpEcho(LabHost host)
    {
        var socket = host.InNamespace(() =>
        {
            var s = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
            s.Bind(new IPEndPoint(IPAddress.Any, UdpPort));
            return s;
        });
        _ = Task.Run(async () =>
        {
            byte[] buffer = new byte[100];
            try
            {
                while (true)
                {
                    var from = await socket.ReceiveFromAsync(buffer, SocketFlags.None, new IPEndPoint(IPAddress.Any, 0));
                    await socket.SendToAsync(((IPEndPoint)from.RemoteEndPoint).Address.GetAddressBytes(), SocketFlags.None, from.RemoteEndPoint);
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // Disposed.
            }
        });
        return socket;
    }

    private static async Task<string> DatagramSourceAsync(Scene scene)
    {
        using var socket = scene.Lab.Client.InNamespace(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp));
        await socket.ConnectAsync(new IPEndPoint(LabAddresses.Internet, UdpPort));
        byte[] answer = new byte[16];
        for (int i = 0; ; i++)
        {
            await socket.SendAsync(new byte[] { 1 });
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(2));
            try
            {
                int count = await socket.ReceiveAsync(answer, limit.Token);
                return new IPAddress(answer.AsSpan(0, count)).ToString();
            }
            catch (OperationCanceledException) when (i < 10)
            {
                // Datagrams may be lost, and the table may not be there yet.
            }
        }
    }
}
