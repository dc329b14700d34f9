using System.Globalization;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;

namespace Aggregator.Network.Tests.Packets;

/// <summary>Another home beside a lab's own: a gateway with one line to the lab's core, and a client in a LAN with the very addresses of the first one's.</summary>
internal sealed class SecondGateway : IAsyncDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("aggregator-second-").FullName;
    private readonly AggregatorUnderTest _product;
    private readonly NetworkLab _lab;
#pragma warning disable CA2213 // Stopped in good order.
    private LabProcess? _daemon;
#pragma warning restore CA2213

    private SecondGateway(AggregatorUnderTest product)
    {
        _product = product;
        _lab = product.Lab;
        Gateway = new LabHost("gw2", _lab.Record.Prefix + "gw2", null, null);
        Client = new LabHost("client2", _lab.Record.Prefix + "client2", LabAddresses.Client, null);
    }

    internal LabHost Gateway { get; }

    internal LabHost Client { get; }

    private string Config => Path.Combine(_directory, "gateway.yaml");

    internal static async Task<SecondGateway> StartAsync(AggregatorUnderTest product)
    {
        var second = new SecondGateway(product);
        try
        {
            await second.StartAsync();
            return second;
        }
        catch
        {
            await second.DisposeAsync();
            throw;
        }
    }

    internal async Task<string> StatusAsync() =>
        (await Gateway.RunAsync(ProductFiles.Gateway, "status", "--json", "--config", Config)).Output;

    public async ValueTask DisposeAsync()
    {
        if (_daemon is { HasExited: false } daemon)
        {
            try
            {
                await daemon.StopAsync(TimeSpan.FromSeconds(15));
            }
            finally
            {
                daemon.Kill();
            }
        }

        foreach (LabHost host in (LabHost[])[Client, Gateway])
        {
            await Processes.Tool.RunAsync("ip", ["netns", "del", host.Name]);
        }

        Directory.Delete(_directory, recursive: true);
    }

    private async Task StartAsync()
    {
        foreach (LabHost host in (LabHost[])[Gateway, Client])
        {
            (await Processes.Tool.RunAsync("ip", ["netns", "add", host.Name])).OutputOrThrow();
            await host.ShellAsync("ip link set lo up");
        }

        await Gateway.ShellAsync(string.Create(
            CultureInfo.InvariantCulture,
            $"""
            ip link add wan1 type veth peer name home2 netns {_lab.Core.Name}
            ip addr add 10.13.1.2/24 dev wan1; ip link set wan1 up
            ip link add lan0 type veth peer name eth0 netns {Client.Name}
            ip addr add {LabAddresses.LanGateway}/24 dev lan0; ip link set lan0 up
            """));
        await _lab.Core.ShellAsync("ip addr add 10.13.1.1/24 dev home2; ip link set home2 up");
        await Gateway.ShellAsync("ip route add default via 10.13.1.1");
        await Client.ShellAsync($"ip addr add {LabAddresses.Client}/24 dev eth0; ip link set eth0 up; ip route add default via {LabAddresses.LanGateway}");
        await File.WriteAllTextAsync(
            Config,
            $"""
            lan: [lan0]
            wans:
              - interface: wan1
                name: cable
            ingress:
              transparent: true
            carrier: trunk
            state: {_directory}/state
            api: {_directory}/gateway.sock

            """);
        string uri = (await _product.VpsCommandAsync("pair", "--name", "second")).OutputOrThrow().Trim();
        (await Gateway.RunAsync(ProductFiles.Gateway, "pair", uri, "--config", Config)).OutputOrThrow();
        _daemon = Gateway.Start(ProductFiles.Gateway, "run", "--config", Config);
    }
}
