using System.Globalization;
using Aggregator.Lab.Topology;
using Aggregator.Processes;

namespace Aggregator.Network.Tests.Clients;

/// <summary>A phone behind the first WAN's provider: a namespace of its own with a real wireguard-go, which takes the configuration that the gateway printed.</summary>
internal sealed class RoamingClient : IAsyncDisposable
{
    private const string Address = "10.99.1.2";
    private const string Router = "10.99.1.1";

    private readonly NetworkLab _lab;
    private readonly string _device;

    private RoamingClient(NetworkLab lab, string name, string device)
    {
        _lab = lab;
        _device = device;
        Host = new LabHost("roam", name, null, null);
    }

    internal LabHost Host { get; }

    internal static async Task<RoamingClient> StartAsync(NetworkLab lab, string configuration)
    {
        string suffix = Guid.NewGuid().ToString("N")[..6];
        string device = $"roam{suffix}";
        string name = $"roam-{suffix}";
        (await Tool.RunAsync("ip", ["netns", "add", name])).OutputOrThrow();
        var client = new RoamingClient(lab, name, device);
        try
        {
            LabHost isp = lab.Wans[0].Isp;
            (await Tool.RunAsync("ip", ["link", "add", "name", "roam", "netns", isp.Name, "type", "veth", "peer", "name", "eth0", "netns", name])).OutputOrThrow();
            await isp.ConfigureAsync($"addr add {Router}/24 dev roam\nlink set dev roam up\n");
            await client.Host.ConfigureAsync($"link set dev lo up\naddr add {Address}/24 dev eth0\nlink set dev eth0 up\nroute add {lab.Wans[0].Address} via {Router}\n");
            await client.UpAsync(configuration);
            return client;
        }
        catch
        {
            await client.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Host.StopAllAsync();
        await Tool.RunAsync("ip", ["-n", _lab.Wans[0].Isp.Name, "link", "del", "dev", "roam"]);
        await Tool.RunAsync("ip", ["netns", "del", Host.Name]);
        File.Delete($"/run/wireguard/{_device}.sock");
    }

    private async Task UpAsync(string configuration)
    {
        var program = Host.Start("wireguard-go", "--foreground", _device);
        long began = TimeProvider.System.GetTimestamp();
        while (!(await Host.RunAsync("wg", "show", _device)).Succeeded)
        {
            if (program.HasExited || TimeProvider.System.GetElapsedTime(began) > TimeSpan.FromSeconds(20))
            {
                throw new IOException(program.Transcript());
            }

            await Task.Delay(TimeSpan.FromMilliseconds(50));
        }

        // What wg-quick does with it.
        string[] lines = configuration.Split('\n');
        string addresses = lines.Single(l => l.StartsWith("Address = ", StringComparison.Ordinal))["Address = ".Length..];
        string stripped = string.Join('\n', lines.Where(l => !l.StartsWith("Address", StringComparison.Ordinal) && !l.StartsWith("DNS", StringComparison.Ordinal)));
        (await Tool.RunAsync("ip", ["netns", "exec", Host.Name, "wg", "setconf", _device, "/dev/stdin"], stripped)).OutputOrThrow();
        await Host.ConfigureAsync(string.Concat(addresses.Split(", ").Select(a => string.Create(CultureInfo.InvariantCulture, $"addr add {a} dev {_device}\n")))
            + $"link set dev {_device} mtu 1420 up\nroute add default dev {_device}\nroute add ::/0 dev {_device}\n");
    }
}
