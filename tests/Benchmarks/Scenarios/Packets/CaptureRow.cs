using System.Globalization;
using System.Text.RegularExpressions;
using Aggregator.Benchmarks.Networks;
using Aggregator.Benchmarks.Scenarios.Trunk;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Aggregator.Processes;

namespace Aggregator.Benchmarks.Scenarios.Packets;

/// <summary>What passes the TUN device of the whole-IP tunnel, as tcpdump sees it there: a histogram of lengths. Super-packets travel whole when most bytes come in long ones.</summary>
internal static partial class CaptureRow
{
    private const int Packets = 4000;
    private static readonly int[] Bounds = [100, 1500, 8192, 16_384, 32_768, 65_536];

    internal static TrunkRow Row { get; } = new("capture", "lengths of the packets on the tunnel's device at both ends, TCP up through it", ["tcpdump", "iperf3", "nft"], RunAsync);

    private static async Task<IReadOnlyList<TrunkFigure>> RunAsync(TrunkOptions options, CancellationToken cancellationToken)
    {
        await using NetworkLab lab = await NetworkLab.CreateAsync(BenchmarkLabs.Unshaped);
        await using IAsyncDisposable running = await new OursAsPackets("whole-IP tunnel", options.Settings with { TransparentText = "tunnel" }).StartAsync(lab, cancellationToken);
        lab.Internet.Start("iperf3", "-s");
        await lab.Internet.WaitForListenerAsync(5201);
        var load = lab.Client.RunAsync("iperf3", ["-c", LabAddresses.Internet.ToString(), "-t", "8"], cancellationToken);
        await Task.Delay(TimeSpan.FromSeconds(2), cancellationToken);
        var figures = new List<TrunkFigure>();
        foreach (var (host, where) in ((LabHost, string)[])[(lab.Gateway, "gateway"), (lab.Vps, "VPS")])
        {
            string device = (await host.ShellAsync("ls /sys/class/net | grep -E '^agg(v)?[0-9]+$' | head -1")).Trim();
            ToolResult seen = await host.RunAsync("tcpdump", ["-i", device, "-n", "-q", "-c", Packets.ToString(CultureInfo.InvariantCulture), "tcp"], cancellationToken);
            int[] payloads = [.. Length().Matches(seen.Output).Select(m => int.Parse(m.Groups[1].ValueSpan, CultureInfo.InvariantCulture))];
            double bytes = Math.Max(1, payloads.Sum(p => (double)p));
            int from = 0;
            foreach (int bound in Bounds)
            {
                int[] of = [.. payloads.Where(p => p >= from && p < bound)];
                figures.Add(new TrunkFigure("capture", $"{where}, {device}: TCP payload of {from} to {bound - 1} B", $"{of.Length} packets, {of.Sum(p => (double)p) / bytes:0.0%} of the bytes", "", null));
                from = bound;
            }

            double super = payloads.Where(p => p >= Bounds[1]).Sum(p => (double)p) / bytes;
            figures.Add(new TrunkFigure("capture", $"{where}: bytes in super-packets, mean of these", $"{super:0.0%}, {payloads.Where(p => p >= Bounds[1]).DefaultIfEmpty().Average():0} B", "> 90 %", super > 0.9));
        }

        await load;
        return figures;
    }

    [GeneratedRegex(@"tcp (\d+)$", RegexOptions.Multiline)]
    private static partial Regex Length();
}
