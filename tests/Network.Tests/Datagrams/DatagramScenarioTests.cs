using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Aggregator.Network.Tests.Scenarios;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Aggregator.Network.Tests.Datagrams;

/// <summary>A call of the LAN goes as datagrams over the lines themselves, over the trunk while UDP is blocked, and back again.</summary>
[Collection(ScenarioCollection.Name)]
public sealed class DatagramScenarioTests(ITestOutputHelper output)
{
    private static readonly TimeSpan Generous = TimeSpan.FromSeconds(40);

    [SkippableFact]
    public async Task A_call_survives_a_silent_line_and_blocked_UDP()
    {
        await using Scene scene = await Scene.StartAsync(new ProductSettings { Carrier = "trunk", GatewayMore = "realtime: duplicate\n" });
        await WaitAsync(scene, d => d.GetProperty("state").GetString() == "udp" && d.GetProperty("lanes").EnumerateArray().Count(l => l.GetProperty("state").GetString() == "up") == 2);
        using var call = new Call(scene.Lab.Client, scene.Lab.Internet);

        // The first packets may find nothing ready (neighbours, rules).
        await call.WaitForAnswersAsync(20);
        (int sent, int lost) = await call.RunAsync(250);
        output.WriteLine($"duplicate, both lines well: {lost} of {sent} lost");
        JsonElement status = await DatagramsAsync(scene);
        output.WriteLine(status.ToString());
        status.GetProperty("copies").GetInt64().ShouldBeGreaterThan(200);
        status.GetProperty("received").GetInt64().ShouldBeGreaterThan(200);
        foreach (JsonElement lane in status.GetProperty("lanes").EnumerateArray())
        {
            lane.GetProperty("link").GetString().ShouldNotBeNull();
            lane.GetProperty("rtt_ms").GetDouble().ShouldBeGreaterThan(5);
            lane.GetProperty("loss_out_ratio").GetDouble().ShouldBeLessThan(0.5);
        }

        scene.Lab.Wans["fibre"].BlackHole = true;
        (sent, lost) = await call.RunAsync(100);
        output.WriteLine($"duplicate, a line black-holed: {lost} of {sent} lost");
        lost.ShouldBeLessThan(sent / 2);
        await WaitAsync(scene, d => d.GetProperty("state").GetString() == "udp"
            && d.GetProperty("lanes").EnumerateArray().First(l => l.GetProperty("link").GetString() == "fibre").GetProperty("state").GetString() != "up");
        scene.Lab.Wans["fibre"].BlackHole = false;

        // Blocked everywhere: the same socket goes on over the trunk, and comes back by itself.
        await scene.Lab.Vps.OutputAsync("nft", "add table inet blocked; add chain inet blocked input { type filter hook input priority 0; }; add rule inet blocked input udp dport 7443 drop");
        await WaitAsync(scene, d => d.GetProperty("state").GetString() == "trunk");
        await call.WaitForAnswersAsync(20);
        await scene.Lab.Vps.OutputAsync("nft", "delete", "table", "inet", "blocked");
        await WaitAsync(scene, d => d.GetProperty("state").GetString() == "udp");
        long before = (await DatagramsAsync(scene)).GetProperty("sent").GetInt64();

        // A steady pace is what makes it a call again.
        await call.RunAsync(150);
        (await DatagramsAsync(scene)).GetProperty("sent").GetInt64().ShouldBeGreaterThan(before);
        call.Peers.ShouldBe(1, "the server sees one client all along");

        // A VPS that was started again has other keys.
        await scene.Product.Vps.StopAsync(TimeSpan.FromSeconds(15));
        await scene.Product.StartVpsAsync();
        await WaitAsync(scene, d => d.GetProperty("state").GetString() == "udp" && d.GetProperty("lanes").EnumerateArray().Any(l => l.GetProperty("rx_bytes").GetInt64() > 0));
        await call.WaitForAnswersAsync(20);
    }

    /// <summary>`spread`: a call uses both lines in turn; and a flow of larger packets that neither line takes alone goes over both, whatever the policy.</summary>
    [SkippableFact]
    public async Task Both_lines_carry_a_spread_call_and_a_large_flow()
    {
        const int PacketBytes = 1200;
        const double Mbps = 22;
        await using Scene scene = await Scene.StartAsync(new ProductSettings { Carrier = "trunk", GatewayMore = "realtime: spread\n" });
        await WaitAsync(scene, d => d.GetProperty("state").GetString() == "udp" && d.GetProperty("lanes").EnumerateArray().Count(l => l.GetProperty("state").GetString() == "up") == 2);
        using var call = new Call(scene.Lab.Client, scene.Lab.Internet);
        await call.WaitForAnswersAsync(20);
        Dictionary<string, long> before = Sent(await DatagramsAsync(scene));
        (int sent, int lost) = await call.RunAsync(250);
        JsonElement status = await DatagramsAsync(scene);
        output.WriteLine($"spread: {lost} of {sent} lost; {status}");
        lost.ShouldBeLessThan(sent / 4);
        status.GetProperty("copies").GetInt64().ShouldBe(0);

        // 57 KB of a call; what a lane reports while it carries is 8 KB in this time.
        Sent(status).ShouldAllBe(lane => lane.Value - before[lane.Key] > 12_000);

        using Socket sink = scene.Lab.Internet.InNamespace(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveBufferSize = 4 << 20, ReceiveTimeout = 3000 });
        sink.Bind(new IPEndPoint(LabAddresses.Internet, 7011));
        before = Sent(await DatagramsAsync(scene));
        Task<int> receiving = Task.Factory.StartNew(() => Count(sink, PacketBytes), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        int packets = await FloodAsync(scene.Lab.Client, PacketBytes, Mbps, TimeSpan.FromSeconds(6));
        int arrived = await receiving;
        status = await DatagramsAsync(scene);
        output.WriteLine($"{Mbps} Mbit/s over 20 and 10: {arrived} of {packets} arrived; {status}");

        // The first moments find out what the lines take, and a busy machine sends in bursts; what goes over one line alone is less than this.
        arrived.ShouldBeGreaterThan(packets * 3 / 4);
        Sent(status).ShouldAllBe(lane => lane.Value - before[lane.Key] > packets * PacketBytes / 10);
    }

    private static Dictionary<string, long> Sent(JsonElement datagrams) =>
        datagrams.GetProperty("lanes").EnumerateArray().ToDictionary(l => l.GetProperty("link").GetString()!, l => l.GetProperty("tx_bytes").GetInt64());

    private static int Count(Socket sink, int bytes)
    {
        byte[] buffer = new byte[2048];
        int count = 0;
        try
        {
            while (true)
            {
                count += sink.Receive(buffer) == bytes ? 1 : 0;
            }
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.TimedOut or SocketError.WouldBlock)
        {
            return count;
        }
    }

    private static async Task<int> FloodAsync(LabHost client, int bytes, double mbps, TimeSpan time)
    {
        using Socket source = client.InNamespace(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp));
        await source.ConnectAsync(new IPEndPoint(LabAddresses.Internet, 7011));
        byte[] packet = new byte[bytes];
        long began = TimeProvider.System.GetTimestamp();
        int sent = 0;
        while (TimeProvider.System.GetElapsedTime(began) is var passed && passed < time)
        {
            for (int due = (int)(passed.TotalSeconds * mbps * 1e6 / 8 / bytes); sent < due; sent++)
            {
                await source.SendAsync(packet);
            }

            await Task.Delay(2);
        }

        return sent;
    }

    private static async Task<JsonElement> DatagramsAsync(Scene scene) => (await scene.Product.StatusAsync()).GetProperty("packets").GetProperty("datagrams");

    private static Task WaitAsync(Scene scene, Func<JsonElement, bool> condition) => scene.Product.WaitForStatusAsync(
        s => s.GetProperty("packets") is { ValueKind: JsonValueKind.Object } p && p.GetProperty("datagrams") is { ValueKind: JsonValueKind.Object } d && condition(d),
        "datagram lanes", Generous);

    /// <summary>50 packets a second of 160 bytes, which a server answers; numbered, so that what is lost is known.</summary>
    private sealed class Call : IDisposable
    {
        private readonly Socket _client;
        private readonly Socket _server;
        private readonly Task _serving;
        private readonly HashSet<EndPoint> _peers = [];
        private int _number;

        internal Call(LabHost client, LabHost server)
        {
            _server = server.InNamespace(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp));
            _server.Bind(new IPEndPoint(LabAddresses.Internet, 7009));
            _serving = Task.Run(ServeAsync);
            _client = client.InNamespace(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp));
            _client.Connect(new IPEndPoint(LabAddresses.Internet, 7009));
        }

        internal int Peers
        {
            get
            {
                lock (_peers)
                {
                    return _peers.Count;
                }
            }
        }

        /// <summary>Goes on until so many were answered.</summary>
        internal async Task WaitForAnswersAsync(int count)
        {
            long began = TimeProvider.System.GetTimestamp();
            for (int answered = 0; answered < count;)
            {
                TimeProvider.System.GetElapsedTime(began).ShouldBeLessThan(Generous);
                (int sent, int lost) = await RunAsync(10);
                answered += sent - lost;
            }
        }

        internal async Task<(int Sent, int Lost)> RunAsync(int packets)
        {
            int first = _number;
            var came = new HashSet<int>();
            using var end = new CancellationTokenSource();
            Task receiving = Task.Run(async () =>
            {
                byte[] buffer = new byte[2048];
                try
                {
                    while (true)
                    {
                        int count = await _client.ReceiveAsync(buffer, end.Token);
                        int number = BinaryPrimitives.ReadInt32BigEndian(buffer);
                        if (count == 160 && number >= first)
                        {
                            came.Add(number);
                        }
                    }
                }
                catch (OperationCanceledException)
                {
                    // All the time there was.
                }
            });
            using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
            byte[] packet = new byte[160];
            for (int i = 0; i < packets; i++)
            {
                await timer.WaitForNextTickAsync();
                BinaryPrimitives.WriteInt32BigEndian(packet, _number++);
                await _client.SendAsync(packet);
            }

            await Task.Delay(TimeSpan.FromMilliseconds(500));
            await end.CancelAsync();
            await receiving;
            return (packets, packets - came.Count);
        }

        public void Dispose()
        {
            _client.Dispose();
            _server.Dispose();
            _serving.Wait(TimeSpan.FromSeconds(5));
        }

        private async Task ServeAsync()
        {
            byte[] buffer = new byte[2048];
            try
            {
                while (true)
                {
                    var came = await _server.ReceiveFromAsync(buffer, new IPEndPoint(IPAddress.Any, 0));
                    lock (_peers)
                    {
                        _peers.Add(came.RemoteEndPoint);
                    }

                    await _server.SendToAsync(buffer.AsMemory(0, came.ReceivedBytes), came.RemoteEndPoint);
                }
            }
            catch (Exception e) when (e is ObjectDisposedException or SocketException)
            {
                // The test is over.
            }
        }
    }
}
