using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Aggregator.Network.Tests.Lab;
using Aggregator.Network.Tests.Scenarios;
using Aggregator.Processes;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Aggregator.Network.Tests.Packets;

/// <summary>In whole-IP mode the sizes are right from end to end: of what is offered in a SYN, and of what is told to who sends too much.</summary>
[Collection(ScenarioCollection.Name)]
public sealed class PacketSizesTests(PacketLab lab, ITestOutputHelper output) : IClassFixture<PacketLab>
{
    /// <summary>What the VPS's way to the lab's internet takes.</summary>
    private const int FarMtu = 1400;

    /// <summary>What the LAN takes.</summary>
    private const int LanMtu = 9000;

    private const int Port = 7051;

    [SkippableFact]
    public async Task MSS_is_clamped_both_ways_and_too_big_names_the_right_MTU()
    {
        Scene scene = await lab.SceneAsync();
        LabHost client = scene.Lab.Client;
        await client.ShellAsync($"ip link set eth0 mtu {LanMtu}");
        await scene.Lab.Gateway.ShellAsync($"ip link set lan0 mtu {LanMtu}");
        scene.Serve(Port, TargetServer.EchoAsync);

        // Nothing on the way is narrower than the tunnel: it decides.
        (await OfferedAsync(scene)).ShouldBe(new Offers(1460, 1460, 1440, 1440));
        await AssertTooBigAsync(client, LabAddresses.Internet.ToString(), 2000, 1500);
        await AssertTooBigAsync(client, LabAddresses.InternetV6.ToString(), 2000, 1500);
        await scene.Curl.UploadAsync(WayIn.TransparentV4, 1, 1_000_000);
        await scene.Curl.DownloadAsync(WayIn.TransparentV6, 2, 1_000_000);

        // The VPS is a hop like any other for who asks by the time to live.
        foreach (IPAddress target in (IPAddress[])[LabAddresses.Internet, LabAddresses.InternetV6])
        {
            ToolResult second = await client.RunAsync("ping", "-c", "5", "-i", "0.3", "-W", "2", "-t", "2", target.ToString());
            output.WriteLine(second.Output);
            second.Output.ShouldContain(target.AddressFamily == AddressFamily.InterNetwork ? "Time to live exceeded" : "Time exceeded: Hop limit");
        }

        // The VPS's way out is.
        await scene.Lab.Vps.ShellAsync(
            $"""
            ip route replace 10.50.0.0/24 via {LabAddresses.VpsRouter} mtu {FarMtu}
            ip -6 route replace 2001:db8:50::/64 via {LabAddresses.VpsRouterV6} mtu {FarMtu}
            """);
        (await OfferedAsync(scene)).ShouldBe(new Offers(FarMtu - 40, FarMtu - 40, FarMtu - 60, FarMtu - 60));
        await AssertTooBigAsync(client, LabAddresses.Internet.ToString(), FarMtu + 20, FarMtu);
        await AssertTooBigAsync(client, LabAddresses.InternetV6.ToString(), FarMtu + 20, FarMtu);
        await scene.Curl.UploadAsync(WayIn.TransparentV4, 3, 1_000_000);
        await scene.Curl.DownloadAsync(WayIn.TransparentV6, 4, 1_000_000);
    }

    /// <summary>Makes a connection of either family and looks at what each end hears of the other.</summary>
    private async Task<Offers> OfferedAsync(Scene scene)
    {
        LabProcess atServer = await PacketLab.CaptureAsync(scene.Lab.Internet, $"tcp dst port {Port}");
        LabProcess atClient = await PacketLab.CaptureAsync(scene.Lab.Client, $"tcp src port {Port}");
        var offers = new List<int>();
        foreach (IPAddress target in (IPAddress[])[LabAddresses.Internet, LabAddresses.InternetV6])
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
            using Socket socket = scene.Lab.Client.InNamespace(() => new Socket(target.AddressFamily, SocketType.Stream, ProtocolType.Tcp));
            await socket.ConnectAsync(new IPEndPoint(target, Port), limit.Token);
            await socket.SendAsync(new byte[] { 1 }, limit.Token);
            await SocksClient.ReadAsync(socket, new byte[1], limit.Token);
            foreach (LabProcess capture in (LabProcess[])[atServer, atClient])
            {
                string dotted = $"{target}.";
                await LabTest.UntilAsync(() => Offer(capture, dotted) is not null, "a SYN", TimeSpan.FromSeconds(20));
                offers.Add(Offer(capture, dotted)!.Value);
            }
        }

        output.WriteLine(string.Join('\n', atServer.Output.Concat(atClient.Output).Where(l => l.Contains("mss", StringComparison.Ordinal))));
        atServer.Kill();
        atClient.Kill();
        return new Offers(offers[0], offers[1], offers[2], offers[3]);
    }

    /// <summary>tcpdump writes `Flags [S.], …, options [mss 1460,…`.</summary>
    private static int? Offer(LabProcess capture, string address)
    {
        string? syn = capture.Output.LastOrDefault(l => l.Contains("Flags [S", StringComparison.Ordinal) && l.Contains(address, StringComparison.Ordinal));
        int at = syn?.IndexOf("mss ", StringComparison.Ordinal) ?? -1;
        return at < 0 ? null : int.Parse(syn.AsSpan(at + 4, syn.AsSpan(at + 4).IndexOfAny(',', ']')), CultureInfo.InvariantCulture);
    }

    /// <summary>The first that is too large is told of by who could not send it on; `ping` prints what it was told.</summary>
    private async Task AssertTooBigAsync(LabHost from, string to, int bytes, int mtu)
    {
        bool isV6 = to.Contains(':', StringComparison.Ordinal);
        string payload = (bytes - (isV6 ? 48 : 28)).ToString(CultureInfo.InvariantCulture);
        ToolResult ping = await from.RunAsync("ping", "-M", "do", "-c", "3", "-i", "0.3", "-W", "2", "-s", payload, to);
        output.WriteLine(ping.Output + ping.Error);
        ping.Succeeded.ShouldBeFalse();
        (ping.Output + ping.Error).ShouldContain(string.Create(CultureInfo.InvariantCulture, $"{(isV6 ? "Packet too big: mtu=" : "Frag needed and DF set (mtu = ")}{mtu}"));
        string fits = (mtu - (isV6 ? 48 : 28)).ToString(CultureInfo.InvariantCulture);
        ToolResult right = await from.RunAsync("ping", "-M", "do", "-c", "3", "-i", "0.3", "-W", "2", "-s", fits, to);
        (right.Output + right.Error).ShouldContain("bytes from", customMessage: right.Error);
    }

    /// <summary>The largest segment in bytes that the server hears the client take, and the client the server.</summary>
    private readonly record struct Offers(int AtServer, int AtClient, int AtServerV6, int AtClientV6);
}
