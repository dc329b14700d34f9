using System.Globalization;
using Aggregator.Benchmarks.Networks;
using Aggregator.Benchmarks.Scenarios.Trunk;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Aggregator.Processes;

namespace Aggregator.Benchmarks.Scenarios.Packets;

/// <summary>A client's own WireGuard session with a host on the internet, through the gateway, while the gateway's lines change under it.</summary>
internal static class ChangeRow
{
    internal static TrunkRow Row { get; } = new("change", "a WireGuard session of a LAN client while the gateway's lines fail in turn", ["wireguard-go", "wg", "unshare", "ping"], RunAsync);

    private const string Inside = "10.220.0.2";

    private static async Task<IReadOnlyList<TrunkFigure>> RunAsync(TrunkOptions options, CancellationToken cancellationToken)
    {
        await using NetworkLab lab = await NetworkLab.CreateAsync(BenchmarkLabs.Faults);
        await using AggregatorUnderTest product = await AggregatorUnderTest.StartAsync(lab, options.Settings);
        await product.WaitForStatusAsync(s => s.GetProperty("packets").GetProperty("state").GetString() == "on", "packets", TimeSpan.FromSeconds(30));
        string folder = Directory.CreateTempSubdirectory("aggregator-wg-").FullName;
        try
        {
            await StartTunnelAsync(lab, folder);
            string endpoint = await EndpointAsync(lab);
            const int PerSecond = 20;
            int count = (int)(options.Seconds(20, 15).TotalSeconds * PerSecond);
            Task<ToolResult> pings = lab.Client.RunAsync("ping", "-i", (1.0 / PerSecond).ToString(CultureInfo.InvariantCulture), "-W", "2", "-c", TrunkBench.Text(count), Inside);
            await Task.Delay(TimeSpan.FromSeconds(4), cancellationToken);
            lab.Wans["one"].BlackHole = true;
            await Task.Delay(TimeSpan.FromSeconds(4), cancellationToken);
            lab.Wans["one"].BlackHole = false;
            await Task.Delay(TimeSpan.FromSeconds(3), cancellationToken);
            await lab.Wans["two"].RemoveAsync();
            ToolResult result = await pings;
            int answered = result.Output.Split('\n').Count(l => l.Contains("bytes from", StringComparison.Ordinal));
            ToolResult after = await lab.Client.RunAsync("ping", "-c", "3", "-W", "2", Inside);
            bool survived = after.Succeeded && endpoint == await EndpointAsync(lab);
            return
            [
                new TrunkFigure("change", "session goes on, from one address and port", survived ? "yes" : $"no: {after.Output.Split('\n')[^2]}", "survives", survived),
                new TrunkFigure("change", $"pings inside, {PerSecond} a second, over two changes", $"{count - answered} of {count} lost", "", null),
            ];
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>The translations of the session at the VPS: one, as long as the server sees one address and port.</summary>
    private static async Task<string> EndpointAsync(NetworkLab lab) =>
        string.Join(' ', (await lab.Vps.OutputAsync("conntrack", "-L", "-p", "udp", "--orig-port-dst", "51820"))
            .Split('\n').SelectMany(l => l.Split(' ')).Where(w => w.StartsWith("dport=", StringComparison.Ordinal)).Distinct().Order(StringComparer.Ordinal));

    private static async Task StartTunnelAsync(NetworkLab lab, string folder)
    {
        await lab.Client.ShellAsync($"cd {folder}; umask 77; for n in client inet; do wg genkey > $n; wg pubkey < $n > $n.pub; done");
        foreach (LabHost host in (LabHost[])[lab.Internet, lab.Client])
        {
            bool server = host == lab.Internet;
            string end = server ? "" : $"endpoint {LabAddresses.Internet}:51820 ";
            string script =
                $$"""
                mkdir -p {{folder}}/run-{{host.Role}} /var/run/wireguard
                mount --bind {{folder}}/run-{{host.Role}} /var/run/wireguard
                wireguard-go -f inner0 & wg=$!
                for i in $(seq 50); do [ -S /var/run/wireguard/inner0.sock ] && break; sleep 0.1; done
                wg set inner0 private-key {{folder}}/{{(server ? "inet" : "client")}} listen-port {{(server ? 51820 : 0)}} peer $(cat {{folder}}/{{(server ? "client" : "inet")}}.pub) {{end}}allowed-ips 10.220.0.0/24
                ip addr add 10.220.0.{{(server ? 2 : 1)}}/24 dev inner0
                ip link set inner0 mtu 1380 up
                wait $wg
                """;
            host.Start("unshare", "-m", "/bin/sh", "-c", script);
        }

        for (int i = 0; i < 100; i++)
        {
            if ((await lab.Client.RunAsync("ping", "-c", "1", "-W", "1", Inside)).Succeeded)
            {
                return;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(200));
        }

        throw new TimeoutException("WireGuard inside carries nothing");
    }
}
