using System.Net;
using Aggregator.Processes;

namespace Aggregator.Benchmarks.Networks;

/// <summary>
/// client – gateway = two WANs = vps – server: plain veth pairs, so that only processors limit. Each contestant has one of its own,
/// so none sees another's routes, endpoints or settings.
/// </summary>
internal sealed class RelayNetwork : IAsyncDisposable
{
    private static int _count;

    private readonly string _name = $"abench{Environment.ProcessId}x{Interlocked.Increment(ref _count)}";

    private RelayNetwork()
    {
    }

    internal string Client => _name + "-client";

    internal string Gateway => _name + "-gw";

    internal string Vps => _name + "-vps";

    internal string Server => _name + "-server";

    internal IPAddress GatewayLanAddress { get; } = IPAddress.Parse("10.50.1.1");

    internal IPAddress ClientAddress { get; } = IPAddress.Parse("10.50.1.2");

    /// <summary>The VPS's one public address; both WANs lead to it.</summary>
    internal IPAddress VpsAddress { get; } = IPAddress.Parse("10.50.100.1");

    internal IPAddress ServerAddress { get; } = IPAddress.Parse("10.50.2.2");

    internal string LanInterface => "lan0";

    internal IReadOnlyList<string> Wans { get; } = ["wan1", "wan2"];

    internal static async Task<RelayNetwork> CreateAsync(CancellationToken cancellationToken)
    {
        var network = new RelayNetwork();
        try
        {
            foreach (string name in network.Namespaces)
            {
                await IpAsync(cancellationToken, "netns", "add", name);
                await InAsync(name, cancellationToken, "ip", "link", "set", "lo", "up");
                await SysctlAsync(name, cancellationToken, "net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0");
            }

            await network.LinkAsync(network.Client, "eth0", "10.50.1.2/24", network.Gateway, network.LanInterface, "10.50.1.1/24", cancellationToken);
            await network.LinkAsync(network.Gateway, "wan1", "10.50.11.2/24", network.Vps, "net1", "10.50.11.1/24", cancellationToken);
            await network.LinkAsync(network.Gateway, "wan2", "10.50.12.2/24", network.Vps, "net2", "10.50.12.1/24", cancellationToken);
            await network.LinkAsync(network.Vps, "net0", "10.50.2.1/24", network.Server, "eth0", "10.50.2.2/24", cancellationToken);
            await InAsync(network.Vps, cancellationToken, "ip", "address", "add", "10.50.100.1/32", "dev", "lo");
            await InAsync(network.Client, cancellationToken, "ip", "route", "add", "default", "via", "10.50.1.1");
            await InAsync(network.Server, cancellationToken, "ip", "route", "add", "default", "via", "10.50.2.1");
            await InAsync(network.Gateway, cancellationToken, "ip", "route", "add", "default", "via", "10.50.11.1", "dev", "wan1", "metric", "101");
            await InAsync(network.Gateway, cancellationToken, "ip", "route", "add", "default", "via", "10.50.12.1", "dev", "wan2", "metric", "102");
            return network;
        }
        catch
        {
            await network.DisposeAsync();
            throw;
        }
    }

    /// <summary>What aggregator-gateway does by itself, for those who do not: source routes, MPTCP endpoints and limits on both ends.</summary>
    internal async Task PrepareMptcpAsync(CancellationToken cancellationToken)
    {
        await SysctlAsync(Gateway, cancellationToken, "net.mptcp.blackhole_timeout=0");
        for (int i = 1; i <= 2; i++)
        {
            string table = $"10{i}";
            await InAsync(Gateway, cancellationToken, "ip", "route", "add", "default", "via", $"10.50.1{i}.1", "dev", $"wan{i}", "table", table);
            await InAsync(Gateway, cancellationToken, "ip", "rule", "add", "from", $"10.50.1{i}.2", "table", table);
            await InAsync(Gateway, cancellationToken, "ip", "mptcp", "endpoint", "add", $"10.50.1{i}.2", "dev", $"wan{i}", "subflow");
        }

        foreach (string name in (string[])[Gateway, Vps])
        {
            await InAsync(name, cancellationToken, "ip", "mptcp", "limits", "set", "subflows", "8", "add_addr_accepted", "8");
        }
    }

    /// <summary>Whether MPTCP carries connections of the VPS at this moment, asked from the kernel.</summary>
    internal async Task<bool> HasMptcpAsync(CancellationToken cancellationToken) =>
        (await InAsync(Vps, cancellationToken, "ss", "-HMn", "state", "established"))
            .Split('\n', StringSplitOptions.RemoveEmptyEntries).Length > 0;

    public async ValueTask DisposeAsync()
    {
        foreach (string name in Namespaces)
        {
            ToolResult left = await Tool.RunAsync("ip", ["netns", "pids", name]);
            foreach (string id in left.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            {
                await Tool.RunAsync("kill", ["-s", "KILL", id.Trim()]);
            }

            await Tool.RunAsync("ip", ["netns", "delete", name]);
        }
    }

    private string[] Namespaces => [Client, Gateway, Vps, Server];

    private static async Task<string> InAsync(string name, CancellationToken cancellationToken, params string[] command) =>
        (await Tool.RunAsync("ip", ["netns", "exec", name, .. command], cancellationToken: cancellationToken)).OutputOrThrow();

    private static async Task IpAsync(CancellationToken cancellationToken, params string[] arguments) =>
        (await Tool.RunAsync("ip", arguments, cancellationToken: cancellationToken)).OutputOrThrow();

    private static Task<string> SysctlAsync(string name, CancellationToken cancellationToken, params string[] settings) =>
        InAsync(name, cancellationToken, ["sysctl", "-qw", .. settings]);

    private async Task LinkAsync(
        string left, string leftName, string leftAddress, string right, string rightName, string rightAddress, CancellationToken cancellationToken)
    {
        await IpAsync(cancellationToken, "link", "add", leftName, "netns", left, "type", "veth", "peer", "name", rightName, "netns", right);
        foreach ((string name, string device, string address) in
            ((string, string, string)[])[(left, leftName, leftAddress), (right, rightName, rightAddress)])
        {
            await InAsync(name, cancellationToken, "ip", "address", "add", address, "dev", device);
            await InAsync(name, cancellationToken, "ip", "link", "set", device, "up");
        }
    }
}
