using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Aggregator.Network.Tests.Scenarios;
using Aggregator.Processes;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Aggregator.Network.Tests.Packets;

/// <summary>A foreign SOCKS5 client's UDP (PySocks, Debian's python3-socks) through gateway and VPS.</summary>
[Collection(ScenarioCollection.Name)]
public sealed class SocksUdpTests(ITestOutputHelper output)
{
    private const int Port = 7005;

    private static readonly TimeSpan Generous = TimeSpan.FromSeconds(40);

    [SkippableTheory]
    [InlineData("trunk", true, "")]
    [InlineData("mptcp", false, "    users: [{name: me, password: true word}]\n")]
    public async Task Datagrams_of_both_families_and_names_reach_their_targets_over_the_VPS(string carrier, bool transparent, string users)
    {
        // Without `transparent` the packet path is there for SOCKS5 alone.
        await using Scene scene = await Scene.PrepareAsync(new ProductSettings { Carrier = carrier, Transparent = transparent });
        if (users.Length > 0)
        {
            string file = scene.Product.GatewayConfig;
            await File.WriteAllTextAsync(file, (await File.ReadAllTextAsync(file)).Replace(
                $"  socks: {scene.Product.Socks}\n", $"  socks:\n    listen: {scene.Product.Socks}\n{users}", StringComparison.Ordinal));
        }

        await scene.Product.StartVpsAsync();
        await scene.Product.PairAsync();
        scene.Product.StartGateway();
        if (transparent)
        {
            await WaitAsync(scene, "on");
        }
        else
        {
            // The VPS is asked when somebody needs it; until then its kernel has no rules for packets, and the first datagrams find the way ready.
            await WaitAsync(scene, "idle");
            await scene.Product.WaitForConnectedAsync();
            await scene.Curl.DownloadAsync(WayIn.HttpV4, 1, 100_000);
            (await scene.Lab.Vps.OutputAsync("nft", "list", "tables")).ShouldNotContain("aggregator_vps");
        }

        using var v4 = new Echo(scene.Lab.Internet, LabAddresses.Internet);
        using var v6 = new Echo(scene.Lab.Internet, LabAddresses.InternetV6);
        string[] login = users.Length > 0 ? ["me", "true word"] : ["", ""];
        ToolResult result = await RunAsync(scene, login, LabAddresses.Internet.ToString(), LabAddresses.InternetV6.ToString(), Names.Both);
        output.WriteLine(result.Output + result.Error);
        result.OutputOrThrow().Split('\n', StringSplitOptions.RemoveEmptyEntries).Length.ShouldBe(9);
        v4.Peers.Keys.Select(p => p.Address).Distinct().ShouldBe([LabAddresses.Vps]);
        v6.Peers.Keys.Select(p => p.Address).Distinct().ShouldBe([LabAddresses.VpsV6]);

        (v4.Peers.Count, v6.Peers.Count).ShouldBe((1, 1), "one mapping for one association");
        if (users.Length > 0)
        {
            (await RunAsync(scene, ["me", "wrong"], LabAddresses.Internet.ToString())).Succeeded.ShouldBeFalse();
        }

        await AssertReplyAsync(scene, users.Length > 0, 0);
        scene.Product.Vps.Kill();
        await AssertReplyAsync(scene, users.Length > 0, 3);

        // Asked for once, it is asked for with every session.
        await scene.Product.StartVpsAsync();
        await WaitAsync(scene, "on");
        await AssertReplyAsync(scene, users.Length > 0, 0);
    }

    private static Task WaitAsync(Scene scene, string state) => scene.Product.WaitForStatusAsync(
        s => s.GetProperty("packets") is { ValueKind: System.Text.Json.JsonValueKind.Object } p && p.GetProperty("state").GetString() == state, $"packets {state}", Generous);

    private static Task<ToolResult> RunAsync(Scene scene, string[] login, params string[] targets) => scene.Lab.Client.RunAsync(
        "/usr/bin/python3",
        [
            Path.Combine(AppContext.BaseDirectory, "Packets", "socks_udp.py"), scene.Product.Socks.Address.ToString(),
            scene.Product.Socks.Port.ToString(CultureInfo.InvariantCulture), .. login, Port.ToString(CultureInfo.InvariantCulture), .. targets,
        ]);

    /// <summary>The code of an answer to UDP ASSOCIATE, asked for until it is this one.</summary>
    private static async Task AssertReplyAsync(Scene scene, bool withUser, byte wanted)
    {
        using var limit = new CancellationTokenSource(Generous);
        byte got;
        do
        {
            using Socket socket = SocksClient.Sockets(scene.Lab.Client, 1)[0];
            await socket.ConnectAsync(SocksClient.Proxy, limit.Token);
            byte[] login = [1, 2, (byte)'m', (byte)'e', 9, .. "true word"u8];
            byte[] hello = withUser ? [5, 1, 2, .. login] : [5, 1, 0];
            await socket.SendAsync((byte[])[.. hello, 5, 3, 0, 1, 0, 0, 0, 0, 0, 0], limit.Token);
            byte[] answer = new byte[withUser ? 4 + 10 : 2 + 10];
            await SocksClient.ReadAsync(socket, answer, limit.Token);
            got = answer[^9];
        }
        while (got != wanted);
    }

    /// <summary>Answers every datagram with itself.</summary>
    private sealed class Echo : IDisposable
    {
        private readonly Socket _socket;
        private readonly Task _loop;

        internal Echo(LabHost host, IPAddress address)
        {
            _socket = host.InNamespace(() => new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp));
            _socket.Bind(new IPEndPoint(address, Port));
            _loop = Task.Run(RunAsync);
        }

        internal ConcurrentDictionary<IPEndPoint, bool> Peers { get; } = new();

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
                    Peers.TryAdd((IPEndPoint)came.RemoteEndPoint, true);
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
