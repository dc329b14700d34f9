using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Aggregator.Network.Tests.Scenarios;
using Shouldly;
using Xunit;

namespace Aggregator.Network.Tests.Packets;

/// <summary>Two homes with the same addresses at one VPS: each has its own packets and nobody else's.</summary>
[Collection(ScenarioCollection.Name)]
public sealed class TwoGatewaysTests
{
    private const int Port = 7021;

    private static readonly TimeSpan Generous = TimeSpan.FromSeconds(60);

    [SkippableFact]
    public async Task Equal_LANs_do_not_meet()
    {
        // Private targets are allowed here, so that it is not this rule that keeps the homes apart.
        await using Scene scene = await Scene.StartAsync(new ProductSettings { Carrier = "trunk", EgressAllow = ["10.50.0.0/24", "192.168.0.0/16", "100.64.0.0/10"] });
        await scene.Product.WaitForStatusAsync(
            s => s.GetProperty("packets") is { ValueKind: JsonValueKind.Object } p && p.GetProperty("state").GetString() == "on", "packets", Generous);
        await using SecondGateway second = await SecondGateway.StartAsync(scene.Product);
        await WaitForPacketsAsync(second);
        LabHost[] clients = [scene.Lab.Client, second.Client];
        using Socket server = scene.Lab.Internet.InNamespace(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp));
        server.Bind(new IPEndPoint(LabAddresses.Internet, Port));
        var peers = new ConcurrentDictionary<string, ConcurrentDictionary<EndPoint, bool>>();
        Task serving = ServeAsync(server, peers);

        // The same address and the same port at both, to one server.
        Socket[] sockets = [.. clients.Select(c => c.InNamespace(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp)))];
        try
        {
            foreach (Socket socket in sockets)
            {
                socket.Bind(new IPEndPoint(LabAddresses.Client, 5555));
                await socket.ConnectAsync(new IPEndPoint(LabAddresses.Internet, Port));
            }

            await Task.WhenAll(sockets.Select((s, i) => AskAsync(s, $"home {i}", 20)));
        }
        finally
        {
            Array.ForEach(sockets, s => s.Dispose());
        }

        peers.Keys.Order(StringComparer.Ordinal).ShouldBe(["home 0", "home 1"]);
        peers.Values.ShouldAllBe(p => p.Count == 1);
        peers["home 0"].Keys.Single().ShouldNotBe(peers["home 1"].Keys.Single());

        // Nobody gets from one home into the other, by an address of its LAN or of its tunnel.
        await second.Gateway.ShellAsync("ip addr add 192.168.78.1/24 dev lan0");
        await second.Client.ShellAsync("ip addr add 192.168.78.2/24 dev eth0");
        await WaitForNetworkAsync(scene, "192.168.78.0/24");
        (await second.Client.RunAsync("ping", "-c", "2", "-W", "2", "-I", "192.168.78.2", LabAddresses.Internet.ToString())).Succeeded.ShouldBeTrue("its own way out");
        (await scene.Lab.Client.RunAsync("ping", "-c", "3", "-i", "0.2", "-W", "1", "192.168.78.2")).Succeeded.ShouldBeFalse();

        // Who claims the other home's address sends nothing.
        await scene.Lab.Client.ShellAsync("ip addr add 192.168.78.2/32 dev lo");
        (await scene.Lab.Client.RunAsync("ping", "-c", "3", "-i", "0.2", "-W", "1", "-I", "192.168.78.2", LabAddresses.Internet.ToString())).Succeeded.ShouldBeFalse();
        server.Dispose();
        await serving;
    }

    private static async Task WaitForPacketsAsync(SecondGateway gateway)
    {
        long began = Stopwatch.GetTimestamp();
        while (true)
        {
            string status = await gateway.StatusAsync();
            if (status.StartsWith('{'))
            {
                using var read = JsonDocument.Parse(status);
                if (read.RootElement.GetProperty("packets") is { ValueKind: JsonValueKind.Object } p && p.GetProperty("state").GetString() == "on")
                {
                    return;
                }
            }

            Stopwatch.GetElapsedTime(began).ShouldBeLessThan(Generous, status);
            await Task.Delay(200);
        }
    }

    /// <summary>The VPS has been told.</summary>
    private static async Task WaitForNetworkAsync(Scene scene, string network)
    {
        long began = Stopwatch.GetTimestamp();
        while (true)
        {
            string status = (await scene.Product.VpsCommandAsync("status", "--json")).OutputOrThrow();
            if (status.Contains(network, StringComparison.Ordinal))
            {
                return;
            }

            Stopwatch.GetElapsedTime(began).ShouldBeLessThan(Generous, status);
            await Task.Delay(200);
        }
    }

    /// <summary>Every answer is that to our own question.</summary>
    private static async Task AskAsync(Socket socket, string who, int answers)
    {
        byte[] buffer = new byte[2048];
        long began = Stopwatch.GetTimestamp();
        for (int got = 0; got < answers;)
        {
            Stopwatch.GetElapsedTime(began).ShouldBeLessThan(Generous);
            await socket.SendAsync(Encoding.ASCII.GetBytes(who));
            using var limit = new CancellationTokenSource(TimeSpan.FromMilliseconds(500));
            try
            {
                int count = await socket.ReceiveAsync(buffer, limit.Token);
                Encoding.ASCII.GetString(buffer, 0, count).ShouldBe(who);
                got++;
            }
            catch (OperationCanceledException)
            {
                // UDP: once more.
            }
        }
    }

    private static async Task ServeAsync(Socket server, ConcurrentDictionary<string, ConcurrentDictionary<EndPoint, bool>> peers)
    {
        byte[] buffer = new byte[2048];
        try
        {
            while (true)
            {
                var came = await server.ReceiveFromAsync(buffer, new IPEndPoint(IPAddress.Any, 0));
                peers.GetOrAdd(Encoding.ASCII.GetString(buffer, 0, came.ReceivedBytes), _ => new()).TryAdd(came.RemoteEndPoint, true);
                await server.SendToAsync(buffer.AsMemory(0, came.ReceivedBytes), came.RemoteEndPoint);
            }
        }
        catch (Exception e) when (e is ObjectDisposedException or SocketException)
        {
            // The test is over.
        }
    }
}
