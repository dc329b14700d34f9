using System.Net;
using System.Net.Sockets;
using Aggregator.Gateway.Carriers;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Links;
using Aggregator.Gateway.Policy;
using Aggregator.Network.Tests.Netlink;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;

namespace Aggregator.Network.Tests.Apply;

/// <summary>The whole control half in a namespace: what happens on the wire and to interfaces leads to routes, endpoints and choices.</summary>
public sealed class HostControllerTests
{
    private static readonly IPEndPoint VpsV4 = new(HomeNetwork.VpsV4, 7443);

    [SkippableFact]
    public async Task Links_come_up_by_probes_and_everything_goes_with_a_clean_end()
    {
        await using var home = await HomeNetwork.CreateAsync();
        string before = await home.PhotographAsync();
        await RunAsync(home, async controller =>
        {
            // Up from the start, and known to be a moment later.
            await UntilAsync(() => States(controller) == "fibre Up, lte Up" && controller.Snapshot.Links.All(l => !l.Checking));

            controller.Snapshot.Links.ShouldAllBe(l => l.RttMs != null && l.LossRatio == 0 && l.Reason == null);
            await UntilEndpointsAsync(home, "10.1.0.2 dev wan1", "10.2.0.2 backup dev wan2");
            controller.Report.Warnings.ShouldBeEmpty();
            controller.Report.Settings.ShouldContain(s => s.Name == "mptcp limits" && s.Before == "add_addr_accepted 0 subflows 2");
            controller.Selector.TryPick(AddressFamily.InterNetwork, [], out var path).ShouldBeTrue();
            path.ShouldBe(new WanPath("wan1", IPAddress.Parse("10.1.0.2")));
            controller.Selector.TryPick(AddressFamily.InterNetwork, [path], out path).ShouldBeTrue();
            path.Interface.ShouldBe("wan2");

            await controller.StopAsync(default);
        });
        (await home.PhotographAsync()).ShouldBe(before);
    }

    [SkippableFact]
    public async Task A_black_hole_takes_the_endpoint_away_and_its_end_brings_it_back()
    {
        await using var home = await HomeNetwork.CreateAsync();
        await RunAsync(home, async controller =>
        {
            await UntilAsync(() => States(controller) == "fibre Up, lte Up");
            controller.Selector.TryPick(AddressFamily.InterNetwork, [], out var first).ShouldBeTrue();

            await home.LoadAsync(home.Isp, "table inet hole {\nchain c {\ntype filter hook prerouting priority -300;\niifname wan1 drop\n}\n}\n");
            await UntilAsync(() => States(controller) == "fibre Down, lte Up");
            controller.Snapshot.Find("fibre")!.Reason.ShouldBe("no answer from the VPS");
            await UntilEndpointsAsync(home, "10.2.0.2 backup dev wan2");
            controller.Selector.IsUsable(first).ShouldBeFalse();
            controller.Selector.TryPick(AddressFamily.InterNetwork, [], out var other).ShouldBeTrue();
            other.Interface.ShouldBe("wan2");

            await home.LoadAsync(home.Isp, "delete table inet hole\n");
            await UntilEndpointsAsync(home, "10.1.0.2 dev wan1", "10.2.0.2 backup dev wan2");
            controller.Selector.IsUsable(first).ShouldBeTrue();
        });
    }

    [SkippableFact]
    public async Task Where_echoes_are_dropped_the_port_answers()
    {
        await using var home = await HomeNetwork.CreateAsync();
        await home.LoadAsync(home.Isp, "table inet silent {\nchain c {\ntype filter hook input priority 0;\nicmp type echo-request drop\n}\n}\n");
        await RunAsync(home, async controller =>
        {
            // Nobody listens: a refusal is an answer.
            await UntilAsync(() => States(controller) == "fibre Up, lte Up");
            await home.LoadAsync(home.Isp, "table inet hole {\nchain c {\ntype filter hook prerouting priority -300;\niifname wan1 drop\n}\n}\n");
            await UntilAsync(() => States(controller) == "fibre Down, lte Up");
        });
    }

    [SkippableFact]
    public async Task An_interface_that_goes_and_comes_back_and_one_whose_address_changes()
    {
        await using var home = await HomeNetwork.CreateAsync();
        await RunAsync(home, async controller =>
        {
            await UntilEndpointsAsync(home, "10.1.0.2 dev wan1", "10.2.0.2 backup dev wan2");

            await home.Gateway.IpAsync("link del wan1");
            await UntilAsync(() => controller.Snapshot.Find("fibre") is { Present: false, State: LinkState.Down, Reason: "there is no such interface" });
            await UntilEndpointsAsync(home, "10.2.0.2 backup dev wan2");
            await UntilAsync(() => controller.Report.Warnings.Any(w => w.Code == "wan-missing"));

            await home.ConnectWanAsync(1);
            await UntilEndpointsAsync(home, "10.1.0.2 dev wan1", "10.2.0.2 backup dev wan2");
            (await home.Gateway.IpAsync("route show table 42496")).ShouldContain("default via 10.1.0.1 dev wan1");

            await home.Gateway.IpAsync("address add 10.1.0.9/24 dev wan1");
            await home.Gateway.IpAsync("address del 10.1.0.2/24 dev wan1");
            await home.Gateway.IpAsync("address replace 10.1.0.9/24 dev wan1");
            await UntilEndpointsAsync(home, "10.1.0.9 dev wan1", "10.2.0.2 backup dev wan2");
            (await home.Gateway.IpAsync("rule")).ShouldSatisfyAllConditions(
                r => r.ShouldContain("from 10.1.0.9 lookup 42496"),
                r => r.ShouldNotContain("from 10.1.0.2 lookup"));
        });
    }

    [SkippableFact]
    public async Task Down_and_up_without_its_default_route_uses_the_remembered_gateway()
    {
        await using var home = await HomeNetwork.CreateAsync();
        await RunAsync(home, async controller =>
        {
            await UntilEndpointsAsync(home, "10.1.0.2 dev wan1", "10.2.0.2 backup dev wan2");
            await home.Gateway.IpAsync("link set wan1 down");
            await UntilAsync(() => controller.Snapshot.Find("fibre") is { State: LinkState.Down, Reason: "no carrier" });

            // The kernel gives the connected route back, not the default one.
            await home.Gateway.IpAsync("link set wan1 up");

            await UntilEndpointsAsync(home, "10.1.0.2 dev wan1", "10.2.0.2 backup dev wan2");
            (await home.Gateway.IpAsync("route show table main")).ShouldNotContain("default via 10.1.0.1");
        });
    }

    [SkippableFact]
    public async Task A_role_set_at_run_time_acts_at_once_and_outlives_a_kill()
    {
        await using var home = await HomeNetwork.CreateAsync();
        await RunAsync(home, async controller =>
        {
            await UntilEndpointsAsync(home, "10.1.0.2 dev wan1", "10.2.0.2 backup dev wan2");
            controller.TrySetRole("nonsense", LinkRole.Off).ShouldBeFalse();
            controller.TrySetRole("lte", LinkRole.Active).ShouldBeTrue();
            controller.TrySetRole("fibre", LinkRole.Off).ShouldBeTrue();
            await UntilEndpointsAsync(home, "10.2.0.2 dev wan2");
        });

        // The first ended without taking anything back.
        await RunAsync(home, async controller =>
        {
            controller.Snapshot.Links.Select(l => l.Role).ShouldBe([LinkRole.Off, LinkRole.Active]);
            await UntilEndpointsAsync(home, "10.2.0.2 dev wan2");
            controller.TrySetRole("fibre", LinkRole.Backup).ShouldBeTrue();
            await UntilEndpointsAsync(home, "10.1.0.2 backup dev wan1", "10.2.0.2 dev wan2");
            await controller.StopAsync(default);
        });
    }

    [SkippableFact]
    public async Task A_rule_that_somebody_deletes_is_put_back()
    {
        await using var home = await HomeNetwork.CreateAsync();
        await RunAsync(home, async controller =>
        {
            await UntilEndpointsAsync(home, "10.1.0.2 dev wan1", "10.2.0.2 backup dev wan2");
            await home.Gateway.IpAsync("rule del priority 10620 oif wan1");
            while (!(await home.Gateway.IpAsync("rule")).Contains("oif wan1", StringComparison.Ordinal))
            {
                await Task.Delay(20);
            }
        });
    }

    [SkippableTheory]
    [InlineData("203.0.113.5", "0.0.0.0")]
    [InlineData("203.0.113.5", "127.0.0.1")]
    [InlineData("2001:db8:beef::5", "::")]
    [InlineData("2001:db8:beef::5", "::1")]
    public async Task A_client_of_the_LAN_reaches_the_transparent_listener(string target, string listen)
    {
        await using var home = await HomeNetwork.CreateAsync();
        using var listener = home.Gateway.Run(() => Listen(IPAddress.Parse(listen)));
        var at = (IPEndPoint)listener.LocalEndPoint!;
        bool v6 = at.AddressFamily == AddressFamily.InterNetworkV6;
        await RunAsync(home, async controller =>
        {
            controller.SetTransparent(v6 ? null : at, v6 ? at : null);
            await UntilAsync(() => controller.Report.Desired.Tproxy is not null);
            controller.Report.Warnings.ShouldBeEmpty();

            using var client = home.Client.Run(() => new Socket(at.AddressFamily, SocketType.Stream, ProtocolType.Tcp));
            var connecting = client.ConnectAsync(new IPEndPoint(IPAddress.Parse(target), 4433));
            using var accepted = await listener.AcceptAsync();
            await connecting;

            // Asked anew: an accepted Socket answers with its listener's address where that is no wildcard.
            using var asked = new Socket(new SafeSocketHandle(accepted.Handle, ownsHandle: false));
            ((IPEndPoint)asked.LocalEndPoint!).ShouldBe(new IPEndPoint(IPAddress.Parse(target), 4433));
            await client.SendAsync(new byte[] { 42 });
            byte[] buffer = new byte[2];
            (await accepted.ReceiveAsync(buffer)).ShouldBe(1);
            buffer[0].ShouldBe((byte)42);

            // The gateway's own address is not taken.
            using var direct = home.Client.Run(() => new Socket(at.AddressFamily, SocketType.Stream, ProtocolType.Tcp));
            var refused = await Should.ThrowAsync<SocketException>(direct.ConnectAsync(new IPEndPoint(IPAddress.Parse(v6 ? "fd77::1" : "192.168.77.1"), 4433)));
            refused.SocketErrorCode.ShouldBe(SocketError.ConnectionRefused);
        });
    }

    private static Task RunAsync(HomeNetwork home, Func<HostController, Task> work) => NamespaceLoop.RunAsync(home.Gateway, async () =>
    {
        await using var controller = new HostController(home.Config, TimeProvider.System, NullLoggerFactory.Instance);
        controller.SetNode([VpsV4]);
        await controller.StartAsync(default);
        await work(controller).WaitAsync(TimeSpan.FromSeconds(60));
    });

    private static string States(HostController controller) => string.Join(", ", controller.Snapshot.Links.Select(l => $"{l.Name} {l.State}"));

    private static async Task UntilAsync(Func<bool> reached)
    {
        while (!reached())
        {
            await Task.Delay(10);
        }
    }

    /// <summary>IPv4 endpoints as `ip mptcp` shows them, without number and the word that all have.</summary>
    private static async Task UntilEndpointsAsync(HomeNetwork home, params string[] expected)
    {
        while (true)
        {
            var shown = (await home.Gateway.IpJsonAsync("mptcp endpoint"))
                .Select(e => $"{e.GetProperty("address").GetString()}{(e.TryGetProperty("backup", out _) ? " backup" : "")} dev {e.GetProperty("dev").GetString()}")
                .Order(StringComparer.Ordinal);
            if (shown.SequenceEqual(expected))
            {
                return;
            }

            await Task.Delay(20);
        }
    }

    private static Socket Listen(IPAddress address)
    {
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        bool v6 = address.AddressFamily == AddressFamily.InterNetworkV6;
        // IP_TRANSPARENT of SOL_IP, IPV6_TRANSPARENT of SOL_IPV6.
        socket.SetRawSocketOption(v6 ? 41 : 0, v6 ? 75 : 19, BitConverter.GetBytes(1));
        socket.Bind(new IPEndPoint(address, 0));
        socket.Listen();
        return socket;
    }
}
