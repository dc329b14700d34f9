using System.Net;
using Aggregator.Gateway.Configuration;
using Aggregator.Network.Tests.Netlink;
using Aggregator.Processes;

namespace Aggregator.Network.Tests.Apply;

/// <summary>
/// client ── lan0 ── gateway ══ wan1, wan2 ══ isp (which is also the VPS, 10.99.0.1 and 2001:db8:99::1)
/// </summary>
internal sealed class HomeNetwork : IAsyncDisposable
{
    internal static readonly IPAddress VpsV4 = IPAddress.Parse("10.99.0.1");
    internal static readonly IPAddress VpsV6 = IPAddress.Parse("2001:db8:99::1");

    private HomeNetwork(TestNamespace client, TestNamespace gateway, TestNamespace isp, string state)
    {
        Client = client;
        Gateway = gateway;
        Isp = isp;
        Config = new GatewayConfig
        {
            // The kernel's path manager has something to do then.
            Carrier = GatewayConfig.MptcpCarrier,
            PathsByKernel = true,
            Lan = ["lan0"],
            Wans = [new("wan1", "fibre", LinkRole.Active, null), new("wan2", "lte", LinkRole.Backup, null)],
            Ingress = new IngressConfig { Transparent = true },
            State = state,
        };
    }

    internal TestNamespace Client { get; }

    internal TestNamespace Gateway { get; }

    internal TestNamespace Isp { get; }

    internal GatewayConfig Config { get; }

    internal static async Task<HomeNetwork> CreateAsync()
    {
        var made = new HomeNetwork(
            await TestNamespace.CreateAsync(),
            await TestNamespace.CreateAsync(),
            await TestNamespace.CreateAsync(),
            Directory.CreateTempSubdirectory("aggregator-home-").FullName);
        // Link-local addresses come whenever duplicate detection is through; without them a photograph is the same twice.
        made.Gateway.SetSysctl("net.ipv6.conf.default.addr_gen_mode", "1");
        await made.Client.ConnectAsync(made.Gateway, "lan0", ["192.168.77.2/24", "fd77::2/64"], ["192.168.77.1/24", "fd77::1/64"]);
        await made.Client.IpAsync("route add default via 192.168.77.1");
        await made.Client.IpAsync("-6 route add default via fd77::1");
        await made.Isp.IpAsync("address add 10.99.0.1/32 dev lo");
        await made.Isp.IpAsync("address add 2001:db8:99::1/128 dev lo");
        await made.ConnectWanAsync(1);
        await made.ConnectWanAsync(2);
        await made.SettleAsync();
        return made;
    }

    /// <summary>The kernel adds an interface's multicast route a moment after the interface is up.</summary>
    private async Task SettleAsync()
    {
        while ((await Gateway.IpAsync("-6 route show table local type multicast")).Split('\n', StringSplitOptions.RemoveEmptyEntries).Length < 3)
        {
            await Task.Delay(10);
        }
    }

    internal async Task ConnectWanAsync(int number)
    {
        await Gateway.ConnectAsync(
            Isp,
            $"wan{number}",
            [$"10.{number}.0.2/24", $"2001:db8:{number}::2/64"],
            [$"10.{number}.0.1/24", $"2001:db8:{number}::1/64"]);
        await AddDefaultsAsync(number);
    }

    internal async Task AddDefaultsAsync(int number)
    {
        await Gateway.IpAsync($"route add default via 10.{number}.0.1 dev wan{number} metric {number}00");
        await Gateway.IpAsync($"-6 route add default via 2001:db8:{number}::1 dev wan{number} metric {number}00");
    }

    /// <summary>All that `down` must leave as it was, as the system's own programs print it.</summary>
    internal async Task<string> PhotographAsync() => string.Join(
        '\n',
        await Gateway.IpAsync("rule"),
        await Gateway.IpAsync("-6 rule"),
        await Gateway.IpAsync("route show table all"),
        await Gateway.IpAsync("-6 route show table all"),
        await ExecAsync("nft", "list", "ruleset"),
        await Gateway.IpAsync("mptcp endpoint"),
        await Gateway.IpAsync("mptcp limits"),
        await ExecAsync("sysctl", "-a", "--pattern", "^net\\.(ipv4|ipv6|mptcp)\\."));

    internal async Task<string> ExecAsync(string program, params string[] arguments) =>
        (await Tool.RunAsync("ip", ["netns", "exec", Gateway.Name, program, .. arguments])).OutputOrThrow();

    internal async Task LoadAsync(TestNamespace place, string ruleset) =>
        (await Tool.RunAsync("ip", ["netns", "exec", place.Name, "nft", "-f", "-"], ruleset)).OutputOrThrow();

    public async ValueTask DisposeAsync()
    {
        await Client.DisposeAsync();
        await Gateway.DisposeAsync();
        await Isp.DisposeAsync();
        Directory.Delete(Config.State, recursive: true);
    }
}
