using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Aggregator.Network.Tests.Scenarios;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Aggregator.Network.Tests.Packets;

/// <summary>What a host lacks, and what clients do to each other.</summary>
[Collection(ScenarioCollection.Name)]
public sealed class BadPacketsTests(ITestOutputHelper output)
{
    private static readonly TimeSpan Generous = TimeSpan.FromSeconds(40);

    [SkippableFact]
    public async Task Without_the_TUN_device_TCP_goes_on_and_both_status_and_clients_are_told()
    {
        await using Scene scene = await Scene.StartAsync(new ProductSettings
        {
            Carrier = "trunk",
            GatewayLauncher = ["sh", "-c", "mount -t tmpfs none /dev/net && exec \"$@\"", "sh"],
        });
        await scene.Curl.DownloadAsync(WayIn.TransparentV4, 1, 200_000);
        JsonElement status = await scene.Product.StatusAsync();
        status.GetProperty("warnings").EnumerateArray()
            .First(w => w.GetProperty("code").GetString() == "packets-unavailable").GetProperty("text").GetString()!.ShouldContain("there is no /dev/net/tun");
        status.GetProperty("packets").ValueKind.ShouldBe(JsonValueKind.Null);
        using Socket socket = SocksClient.Sockets(scene.Lab.Client, 1)[0];
        await socket.ConnectAsync(SocksClient.Proxy);
        await socket.SendAsync(new byte[] { 5, 1, 0, 5, 3, 0, 1, 0, 0, 0, 0, 0, 0 });
        byte[] answer = new byte[2 + 10];
        await SocksClient.ReadAsync(socket, answer, CancellationToken.None);
        answer[3].ShouldBe((byte)7, "command not supported");
    }

    /// <summary>One client sends more than all lines take; three others a fifteenth of it each, of the same class.</summary>
    [SkippableFact]
    public async Task A_flood_from_one_client_leaves_the_others_their_share()
    {
        const int FloodPerSecond = 4000;
        const int OthersPerSecond = 250;
        await using Scene scene = await Scene.StartAsync(new ProductSettings { Carrier = "trunk" });
        await scene.Product.WaitForStatusAsync(
            s => s.GetProperty("packets") is { ValueKind: JsonValueKind.Object } p && p.GetProperty("state").GetString() == "on", "packets", Generous);
        LabHost client = scene.Lab.Client;
        IPAddress[] others = [.. Enumerable.Range(31, 3).Select(i => IPAddress.Parse($"192.168.77.{i.ToString(CultureInfo.InvariantCulture)}"))];
        foreach (IPAddress other in others)
        {
            await client.OutputAsync("ip", "addr", "add", $"{other}/24", "dev", "eth0");
        }

        using Socket sink = scene.Lab.Internet.InNamespace(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveBufferSize = 4 << 20 });
        sink.Bind(new IPEndPoint(LabAddresses.Internet, 7010));
        var counts = new long[1 + others.Length];
        using var stop = new CancellationTokenSource();
        Task counting = Task.Run(async () =>
        {
            byte[] buffer = new byte[2048];
            try
            {
                while (true)
                {
                    int length = await sink.ReceiveAsync(buffer, stop.Token);
                    counts[buffer[0]] += length > 0 ? 1 : 0;
                }
            }
            catch (OperationCanceledException)
            {
                // Counted.
            }
        });

        // The path knows nothing of its rate before something went; then the measurement.
        await SendAsync(client, LabAddresses.Client, 0, FloodPerSecond, TimeSpan.FromSeconds(2));
        Task<int> flood = SendAsync(client, LabAddresses.Client, 0, FloodPerSecond, TimeSpan.FromSeconds(6));
        int[] sent = await Task.WhenAll(others.Select((o, i) => SendAsync(client, o, (byte)(i + 1), OthersPerSecond, TimeSpan.FromSeconds(4))));
        int flooded = await flood;
        await Task.Delay(TimeSpan.FromSeconds(2));
        await stop.CancelAsync();
        await counting;
        output.WriteLine($"flood {counts[0]} of more than {flooded}; others {string.Join(", ", sent.Select((s, i) => $"{counts[i + 1]} of {s}"))}");

        // Shares are kept for 256 hashed clients: seldom one of the three meets the flood there.
        sent.Select((s, i) => counts[i + 1] > 0.85 * s).Count(kept => kept).ShouldBeGreaterThanOrEqualTo(2);
        (counts[0] < 0.9 * (flooded + (2 * FloodPerSecond))).ShouldBeTrue("it was a flood");
    }

    /// <returns>Datagrams sent.</returns>
    private static Task<int> SendAsync(LabHost host, IPAddress from, byte who, int perSecond, TimeSpan time) => Task.Run(async () =>
    {
        using Socket socket = host.InNamespace(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp));
        socket.Bind(new IPEndPoint(from, 0));
        await socket.ConnectAsync(new IPEndPoint(LabAddresses.Internet, 7010));
        byte[] datagram = new byte[1000];
        datagram[0] = who;
        long began = Stopwatch.GetTimestamp();
        int sent = 0;
        while (Stopwatch.GetElapsedTime(began) is var passed && passed < time)
        {
            for (int due = (int)(passed.TotalSeconds * perSecond); sent < due; sent++)
            {
                await socket.SendAsync(datagram);
            }

            await Task.Delay(5);
        }

        return sent;
    });
}
