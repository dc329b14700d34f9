using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;

namespace Aggregator.Benchmarks.Scenarios.Packets;

/// <summary>Somebody who carries a LAN's IP packets from the gateway to the VPS. Set up in a lab of its own.</summary>
internal interface ITunnelContestant
{
    string Name { get; }

    string[] Programs { get; }

    Task<IAsyncDisposable> StartAsync(NetworkLab lab, CancellationToken cancellationToken);
}

internal sealed class OursAsPackets(string name, ProductSettings settings) : ITunnelContestant
{
    public string Name { get; } = name;

    public string[] Programs => ["nft"];

    public async Task<IAsyncDisposable> StartAsync(NetworkLab lab, CancellationToken cancellationToken)
    {
        AggregatorUnderTest product = await AggregatorUnderTest.StartAsync(lab, settings);
        await product.WaitForStatusAsync(
            s => s.GetProperty("packets").GetProperty("state").GetString() == "on", "packets", TimeSpan.FromSeconds(30));
        return product;
    }
}

/// <summary>A rival's tunnel over the first line, with the routes and the translation that ours makes by itself.</summary>
internal abstract class RivalTunnel : ITunnelContestant
{
    public abstract string Name { get; }

    public abstract string[] Programs { get; }

    /// <param name="folder">For keys and sockets; removed with the tunnel.</param>
    protected abstract Task TunnelAsync(NetworkLab lab, string folder, CancellationToken cancellationToken);

    public async Task<IAsyncDisposable> StartAsync(NetworkLab lab, CancellationToken cancellationToken)
    {
        var files = new Files(Directory.CreateTempSubdirectory("aggregator-rival-"));
        try
        {
            await TunnelAsync(lab, files.Folder, cancellationToken);
            await RouteAsync(lab, cancellationToken);
            return files;
        }
        catch
        {
            await files.DisposeAsync();
            throw;
        }
    }

    private async Task RouteAsync(NetworkLab lab, CancellationToken cancellationToken)
    {
        await lab.Gateway.ShellAsync($"ip route replace {LabAddresses.Internet} dev rival0; sysctl -qw net.ipv4.ip_forward=1");
        await lab.Vps.ShellAsync(
            """
            sysctl -qw net.ipv4.ip_forward=1
            ip route replace 192.168.77.0/24 dev rival0
            nft 'add table inet rival; add chain inet rival post { type nat hook postrouting priority srcnat; }; add rule inet rival post ip saddr 192.168.77.0/24 masquerade'
            """);
        for (int i = 0; i < 100; i++)
        {
            if ((await lab.Client.RunAsync("ping", "-c", "1", "-W", "1", LabAddresses.Internet.ToString())).Succeeded)
            {
                return;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(200), cancellationToken);
        }

        throw new TimeoutException($"{Name} carries nothing");
    }

    private sealed class Files(DirectoryInfo folder) : IAsyncDisposable
    {
        internal string Folder => folder.FullName;

        public ValueTask DisposeAsync()
        {
            folder.Delete(recursive: true);
            return ValueTask.CompletedTask;
        }
    }
}

internal sealed class WireGuardGo : RivalTunnel
{
    public override string Name => "wireguard-go (Debian)";

    public override string[] Programs => ["wireguard-go", "wg"];

    protected override async Task TunnelAsync(NetworkLab lab, string folder, CancellationToken cancellationToken)
    {
        await lab.Gateway.ShellAsync($"cd {folder}; umask 77; for n in gw vps; do wg genkey > $n; wg pubkey < $n > $n.pub; done");
        foreach (LabHost host in (LabHost[])[lab.Vps, lab.Gateway])
        {
            // One process for each interface; its control socket carries the interface's name, so the two have namespaces of their own in a private /var/run.
            bool vps = host == lab.Vps;
            string end = vps ? "" : $"endpoint {LabAddresses.Vps}:51820 ";
            string script =
                $$"""
                mkdir -p {{folder}}/run-{{host.Role}} /var/run/wireguard
                mount --bind {{folder}}/run-{{host.Role}} /var/run/wireguard
                wireguard-go -f rival0 & wg=$!
                for i in $(seq 50); do [ -S /var/run/wireguard/rival0.sock ] && break; sleep 0.1; done
                wg set rival0 private-key {{folder}}/{{(vps ? "vps" : "gw")}} listen-port 51820 peer $(cat {{folder}}/{{(vps ? "gw" : "vps")}}.pub) {{end}}allowed-ips 0.0.0.0/0
                ip addr add 10.200.0.{{(vps ? 2 : 1)}}/24 dev rival0
                ip link set rival0 mtu 1420 up
                wait $wg
                """;
            host.Start("unshare", "-m", "/bin/sh", "-c", script);
        }

        await WaitForDeviceAsync(lab, cancellationToken);
    }

    internal static async Task WaitForDeviceAsync(NetworkLab lab, CancellationToken cancellationToken)
    {
        foreach (LabHost host in (LabHost[])[lab.Vps, lab.Gateway])
        {
            for (int i = 0; i < 100 && !(await host.RunAsync("ip", "-br", "addr", "show", "dev", "rival0")).Output.Contains("10.20", StringComparison.Ordinal); i++)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(100), cancellationToken);
            }
        }
    }
}

internal sealed class OpenVpn : RivalTunnel
{
    public override string Name => "openvpn, UDP, AES-256-GCM/CBC (Debian)";

    public override string[] Programs => ["openvpn"];

    protected override async Task TunnelAsync(NetworkLab lab, string folder, CancellationToken cancellationToken)
    {
        string key = Path.Combine(folder, "key");
        await lab.Gateway.ShellAsync($"openvpn --genkey secret {key}");
        string[] common = ["--dev", "rival0", "--dev-type", "tun", "--secret", key, "--cipher", "AES-256-CBC", "--proto", "udp", "--port", "1194", "--sndbuf", "1000000", "--rcvbuf", "1000000", "--tun-mtu", "1500"];
        lab.Vps.Start("openvpn", [.. common, "--ifconfig", "10.201.0.2", "10.201.0.1"]);
        lab.Gateway.Start("openvpn", [.. common, "--ifconfig", "10.201.0.1", "10.201.0.2", "--remote", LabAddresses.Vps.ToString()]);
        await WireGuardGo.WaitForDeviceAsync(lab, cancellationToken);
    }
}
