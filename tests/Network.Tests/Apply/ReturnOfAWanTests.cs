using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Links;
using Aggregator.Gateway.Policy;
using Aggregator.Mptcp;
using Aggregator.Processes;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Aggregator.Network.Tests.Apply;

/// <summary>One MPTCP connection that was there before the outage carries bytes over the WAN again after it.</summary>
public sealed class ReturnOfAWanTests(ITestOutputHelper output)
{
    private const ulong SomeBytes = 500_000;

    [SkippableTheory]
    [InlineData(1)]
    [InlineData(2)]
    public Task After_a_black_hole(int wan) => RunAsync(
        wan,
        home => home.LoadAsync(home.Isp, $"table inet hole {{\nchain in {{\ntype filter hook prerouting priority -300;\niifname wan{wan} drop\n}}\nchain out {{\ntype filter hook postrouting priority 300;\noifname wan{wan} drop\n}}\n}}\n"),
        home => home.LoadAsync(home.Isp, "delete table inet hole\n"));

    [SkippableFact]
    public Task After_the_interface_was_gone() => RunAsync(
        1,
        home => home.Gateway.IpAsync("link del wan1"),
        async home =>
        {
            await home.ConnectWanAsync(1);
            await ShapeAsync(home, 1);
        });

    private async Task RunAsync(int wan, Func<HomeNetwork, Task> fail, Func<HomeNetwork, Task> repair)
    {
        await using var home = await HomeNetwork.CreateAsync();
        await home.Isp.IpAsync("mptcp limits set subflows 8 add_addr_accepted 8");
        await ShapeAsync(home, 1);
        await ShapeAsync(home, 2);
        using var listener = home.Isp.Run(() => MptcpSocket.Create(AddressFamily.InterNetwork));
        listener.Bind(new IPEndPoint(IPAddress.Any, 7443));
        listener.Listen();
        string name = $"wan{wan}";

        await NamespaceLoop.RunAsync(home.Gateway, async () =>
        {
            await using var controller = new HostController(home.Config, TimeProvider.System, NullLoggerFactory.Instance);
            controller.SetNode([new IPEndPoint(HomeNetwork.VpsV4, 7443)]);
            await controller.StartAsync(default);
            controller.TrySetRole("lte", LinkRole.Active).ShouldBeTrue();
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
            await UntilAsync(() => controller.Report.Desired.Endpoints.Count(e => e.Address.AddressFamily == AddressFamily.InterNetwork && !e.Backup) == 2, limit.Token);

            using var client = MptcpSocket.Create(AddressFamily.InterNetwork);
            client.Bind(new IPEndPoint(IPAddress.Parse("10.1.0.2"), 0));
            await client.ConnectAsync(new IPEndPoint(HomeNetwork.VpsV4, 7443), limit.Token);
            var (server, greeting) = await AcceptAsync(listener, client, limit.Token);
            using (server)
            {
                greeting.ShouldBe((byte)1);
                var sink = Task.Run(() => SinkAsync(server, limit.Token));
                var source = Task.Run(() => SourceAsync(client, limit.Token));
                await GrowsAsync("wan1", limit.Token);
                await GrowsAsync("wan2", limit.Token);

                await fail(home);
                await UntilAsync(() => controller.Report.Desired.Endpoints.All(e => e.Device != name || e.Address.AddressFamily != AddressFamily.InterNetwork), limit.Token);
                await GrowsAsync(wan == 1 ? "wan2" : "wan1", limit.Token);

                long begin = Stopwatch.GetTimestamp();
                await repair(home);
                await UntilAsync(() => controller.Snapshot.Links[wan - 1].State == LinkState.Up, limit.Token);
                output.WriteLine($"up again after {Stopwatch.GetElapsedTime(begin).TotalMilliseconds:f0} ms");
                await GrowsAsync(name, limit.Token);
                output.WriteLine($"{SomeBytes} bytes over it after {Stopwatch.GetElapsedTime(begin).TotalMilliseconds:f0} ms");

                await limit.CancelAsync();
                await Task.WhenAll(sink, source);
            }
        });
    }

    /// <summary>A raw socket accepts what the probes connect too; the one that speaks is the client.</summary>
    private static async Task<(Socket Server, byte Greeting)> AcceptAsync(Socket listener, Socket client, CancellationToken cancel)
    {
        await client.SendAsync(new byte[] { 1 }, cancel);
        byte[] first = new byte[1];
        while (true)
        {
            var server = await listener.AcceptAsync(cancel);
            try
            {
                if (await server.ReceiveAsync(first, cancel) == 1)
                {
                    return (server, first[0]);
                }
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
            {
            }

            server.Dispose();
        }
    }

    private static async Task SinkAsync(Socket socket, CancellationToken cancel)
    {
        byte[] buffer = new byte[65536];
        try
        {
            while (await socket.ReceiveAsync(buffer, cancel) > 0)
            {
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    private static async Task SourceAsync(Socket socket, CancellationToken cancel)
    {
        byte[] buffer = new byte[65536];
        try
        {
            while (true)
            {
                await socket.SendAsync(buffer, cancel);
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    private static Task GrowsAsync(string device, CancellationToken cancel)
    {
        ulong before = InterfaceCounters.Read(device)?.TxBytes ?? 0;
        return UntilAsync(() => InterfaceCounters.Read(device)?.TxBytes - before > SomeBytes, cancel);
    }

    private static async Task UntilAsync(Func<bool> reached, CancellationToken cancel)
    {
        while (!reached())
        {
            await Task.Delay(10, cancel);
        }
    }

    private static async Task ShapeAsync(HomeNetwork home, int wan) => (await Tool.RunAsync(
        "tc", ["-n", home.Gateway.Name, "qdisc", "add", "dev", $"wan{wan}", "root", "tbf", "rate", "30mbit", "burst", "32kb", "latency", "50ms"])).OutputOrThrow();
}
