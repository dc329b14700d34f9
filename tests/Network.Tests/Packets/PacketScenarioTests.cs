using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Aggregator.Network.Tests.Scenarios;
using Aggregator.Processes;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Aggregator.Network.Tests.Packets;

/// <summary>What a client of the LAN expects of everything that is no TCP: it simply works over the VPS.</summary>
[Collection(ScenarioCollection.Name)]
public sealed class PacketScenarioTests(ITestOutputHelper output)
{
    private static readonly TimeSpan Generous = TimeSpan.FromSeconds(40);

    [SkippableFact]
    public async Task Ping_UDP_and_large_datagrams_of_both_families_go_over_the_VPS()
    {
        await using Scene scene = await StartAsync("trunk");
        LabHost client = scene.Lab.Client;
        await AssertPingAsync(client, LabAddresses.Internet.ToString());
        await AssertPingAsync(client, LabAddresses.InternetV6.ToString());
        (await EchoAsync(scene, LabAddresses.Internet, 1200)).ShouldBe(LabAddresses.Vps);
        (await EchoAsync(scene, LabAddresses.InternetV6, 1200)).ShouldBe(LabAddresses.VpsV6);

        // Larger than the MTU: fragments of a datagram find together again.
        (await EchoAsync(scene, LabAddresses.Internet, 6000)).ShouldBe(LabAddresses.Vps);

        // What may not be dialled may not be written to either, and the VPS itself is no target.
        foreach (string target in (string[])["10.12.1.1", LabAddresses.Vps.ToString(), "fd99::1"])
        {
            ToolResult refused = await PingAsync(client, target, 2);
            refused.Succeeded.ShouldBeFalse(target);

            // And whoever tries is told, at once.
            refused.Output.ShouldContain(target.Contains(':', StringComparison.Ordinal) ? "Administratively prohibited" : "Packet filtered");
        }

        // Others' addresses are not sent from.
        await client.OutputAsync("ip", "addr", "add", "10.99.99.9/32", "dev", "lo");
        (await client.RunAsync("ping", "-c", "2", "-W", "1", "-I", "10.99.99.9", LabAddresses.Internet.ToString())).Succeeded.ShouldBeFalse();
        JsonElement packets = (await scene.Product.StatusAsync()).GetProperty("packets");
        output.WriteLine(packets.ToString());
        packets.GetProperty("state").GetString().ShouldBe("on");
        packets.GetProperty("out_refused").GetInt64().ShouldBeGreaterThan(0);
        packets.GetProperty("in_packets").GetInt64().ShouldBeGreaterThan(10);
        using JsonDocument vps = JsonDocument.Parse((await scene.Product.VpsCommandAsync("status", "--json")).OutputOrThrow());
        JsonElement far = vps.RootElement.GetProperty("gateways")[0].GetProperty("packets");
        output.WriteLine(far.ToString());
        far.GetProperty("in_refused").GetInt64().ShouldBeGreaterThan(1, "the VPS refused its own address and a private one");
    }

    [SkippableFact]
    public async Task A_line_that_goes_silent_costs_a_flow_a_moment_and_down_leaves_nothing()
    {
        await using Scene scene = await StartAsync("trunk");
        LabHost client = scene.Lab.Client;
        using var server = new EchoServer(scene.Lab.Internet, LabAddresses.Internet, 7003);
        using Socket socket = client.InNamespace(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp));
        await socket.ConnectAsync(new IPEndPoint(LabAddresses.Internet, 7003));
        await ExchangeAsync(socket, 5);
        scene.Lab.Wans["fibre"].BlackHole = true;

        // The same socket goes on: the VPS's side of the translation has not changed.
        await ExchangeAsync(socket, 20);
        scene.Lab.Wans["fibre"].BlackHole = false;
        scene.Lab.Wans["lte"].BlackHole = true;
        await ExchangeAsync(socket, 20);
        server.Peers.Count.ShouldBe(1);

        (await scene.Product.GatewayCommandAsync("down")).OutputOrThrow();
        string rules = await scene.Lab.Gateway.OutputAsync("ip", "rule");
        rules.ShouldNotContain("0xa7");
        (await scene.Lab.Gateway.OutputAsync("ip", "-br", "link")).ShouldNotContain("agg0");
        (await scene.Lab.Gateway.OutputAsync("nft", "list", "ruleset")).ShouldNotContain("aggregator");

        // The VPS's end takes back what it set there, rules for its own ICMP errors among it.
        const string Look = "ip rule; ip -6 rule; nft list ruleset; ip -br link; sysctl net.ipv4.fwmark_reflect net.ipv6.fwmark_reflect";
        string there = await scene.Lab.Vps.ShellAsync(Look);
        there.ShouldContain("fwmark 0xa5010000/0xffff0000 iif lo");
        there.ShouldContain("fwmark_reflect = 1");
        await scene.Product.Vps.StopAsync(TimeSpan.FromSeconds(30));
        string left = await scene.Lab.Vps.ShellAsync(Look);
        foreach (string ours in (string[])["fwmark 0x", "aggregator", "aggv", "fwmark_reflect = 1"])
        {
            left.ShouldNotContain(ours);
        }
    }

    /// <summary>Where flows have connections of their own, packets have a trunk beside them.</summary>
    [SkippableFact]
    public async Task Packets_are_carried_with_the_other_carrier_too()
    {
        await using Scene scene = await StartAsync("mptcp");
        await AssertPingAsync(scene.Lab.Client, LabAddresses.Internet.ToString());
        (await EchoAsync(scene, LabAddresses.Internet, 500)).ShouldBe(LabAddresses.Vps);
        await scene.Curl.DownloadAsync(WayIn.TransparentV4, 1, 500_000);
    }

    [SkippableFact]
    public async Task In_whole_IP_mode_TCP_goes_as_packets()
    {
        await using Scene scene = await StartAsync("trunk", "tunnel");
        await AssertPingAsync(scene.Lab.Client, LabAddresses.Internet.ToString());
        await scene.Curl.DownloadAsync(WayIn.TransparentV4, 1, 2_000_000);
        await scene.Curl.UploadAsync(WayIn.TransparentV6, 2, 1_000_000);
        JsonElement status = await scene.Product.StatusAsync();
        output.WriteLine(status.GetProperty("packets").ToString());
        status.GetProperty("packets").GetProperty("in_bytes").GetInt64().ShouldBeGreaterThan(2_000_000);
        status.GetProperty("flows").GetProperty("total").GetInt64().ShouldBe(0);
        string tracked = await scene.Lab.Vps.OutputAsync("conntrack", "-L");
        tracked.ShouldContain($"src={LabAddresses.Client}", customMessage: "clients' addresses reach the VPS");
    }

    [SkippableFact]
    public async Task A_taken_name_is_told_and_TCP_goes_on()
    {
        await using Scene scene = await Scene.PrepareAsync(new ProductSettings { Carrier = "trunk" });
        await scene.Lab.Gateway.OutputAsync("ip", "link", "add", "agg0", "type", "bridge");
        await scene.Product.StartVpsAsync();
        await scene.Product.PairAsync();
        scene.Product.StartGateway();
        await scene.Product.WaitForConnectedAsync();
        await scene.Curl.DownloadAsync(WayIn.TransparentV4, 1, 200_000);
        JsonElement status = await scene.Product.StatusAsync();
        status.GetProperty("warnings").EnumerateArray()
            .First(w => w.GetProperty("code").GetString() == "packets-unavailable").GetProperty("text").GetString()!.ShouldContain("name is in use");
    }

    private static async Task<Scene> StartAsync(string carrier, string? transparent = null)
    {
        Scene scene = await Scene.StartAsync(new ProductSettings { Carrier = carrier, TransparentText = transparent });
        try
        {
            await scene.Product.WaitForStatusAsync(
                s => s.GetProperty("packets") is { ValueKind: JsonValueKind.Object } p && p.GetProperty("state").GetString() == "on", "packets", Generous);
            return scene;
        }
        catch
        {
            await scene.DisposeAsync();
            throw;
        }
    }

    private static Task<ToolResult> PingAsync(LabHost from, string to, int count) =>
        from.RunAsync("ping", "-c", count.ToString(CultureInfo.InvariantCulture), "-i", "0.2", "-W", "2", to);

    /// <summary>The first may find nothing ready yet (neighbours, rules).</summary>
    private async Task AssertPingAsync(LabHost from, string to)
    {
        ToolResult last = await PingAsync(from, to, 3);
        for (int i = 0; i < 15 && !last.Succeeded; i++)
        {
            last = await PingAsync(from, to, 3);
        }

        output.WriteLine(last.Output);
        last.Succeeded.ShouldBeTrue(last.Output);
    }

    /// <returns>Whom the server saw.</returns>
    private static async Task<IPAddress> EchoAsync(Scene scene, IPAddress address, int bytes)
    {
        using var server = new EchoServer(scene.Lab.Internet, address, 7001);
        using Socket socket = scene.Lab.Client.InNamespace(() => new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp));
        await socket.ConnectAsync(new IPEndPoint(address, 7001));
        byte[] question = new byte[bytes];
        new Random(bytes).NextBytes(question);
        byte[] answer = new byte[65_536];
        for (int i = 0; i < 30; i++)
        {
            await socket.SendAsync(question);
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(1));
            try
            {
                int count = await socket.ReceiveAsync(answer, limit.Token);
                answer.AsSpan(0, count).SequenceEqual(question).ShouldBeTrue();
                return server.Peers.First().Address;
            }
            catch (OperationCanceledException)
            {
                // UDP: once more.
            }
        }

        throw new TimeoutException($"no answer from {address}");
    }

    private static async Task ExchangeAsync(Socket socket, int count)
    {
        byte[] answer = new byte[2048];
        for (int i = 0, answered = 0; answered < count; i++)
        {
            i.ShouldBeLessThan(200 + count);
            byte[] question = Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"question {i}"));
            await socket.SendAsync(question);
            using var limit = new CancellationTokenSource(TimeSpan.FromMilliseconds(300));
            try
            {
                await socket.ReceiveAsync(answer, limit.Token);
                answered++;
            }
            catch (OperationCanceledException)
            {
                // Lost with the line.
            }
        }
    }

    /// <summary>Answers every datagram with itself.</summary>
    private sealed class EchoServer : IDisposable
    {
        private readonly Socket _socket;
        private readonly Task _loop;

        internal EchoServer(LabHost host, IPAddress address, int port)
        {
            _socket = host.InNamespace(() => new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp));
            _socket.Bind(new IPEndPoint(address, port));
            _loop = Task.Run(RunAsync);
        }

        internal System.Collections.Concurrent.ConcurrentBag<IPEndPoint> Seen { get; } = [];

        internal IReadOnlyCollection<IPEndPoint> Peers => [.. Seen.Distinct()];

        public void Dispose()
        {
            _socket.Dispose();
            _loop.Wait(TimeSpan.FromSeconds(5));
        }

        private async Task RunAsync()
        {
            byte[] buffer = new byte[65_536];
            EndPoint any = new IPEndPoint(_socket.AddressFamily == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any, 0);
            try
            {
                while (true)
                {
                    var came = await _socket.ReceiveFromAsync(buffer, any);
                    Seen.Add((IPEndPoint)came.RemoteEndPoint);
                    await _socket.SendToAsync(buffer.AsMemory(0, came.ReceivedBytes), came.RemoteEndPoint);
                }
            }
            catch (Exception e) when (e is ObjectDisposedException or SocketException)
            {
                // The test is over.
            }
        }
    }
}
