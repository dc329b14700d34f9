using System.Globalization;
using System.Text.Json;
using Aggregator.Benchmarks.Networks;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Aggregator.Processes;

namespace Aggregator.Benchmarks.Scenarios.Packets;

/// <param name="Packets">UDP of 64 bytes that arrived, a second.</param>
internal sealed record TunnelFigures(string Name, double? UpMbps, double? DownMbps, double? Packets, string? Problem);

/// <summary>iperf3 from a LAN client to the internet through one tunnel after the other, in labs without shaping.</summary>
internal static class PacketsScenario
{
    private const double MorePerSecondThanAnyoneTakes = 400_000;

    internal static async Task<IReadOnlyList<TunnelFigures>> RunAsync(
        ProductSettings settings, int seconds, bool withTcp, string? only, Action<string> progress, CancellationToken cancellationToken)
    {
        ITunnelContestant[] all =
        [
            new OursAsPackets("Aggregator, whole-IP tunnel", settings with { TransparentText = "tunnel" }),
            new OursAsPackets("Aggregator, stream relay (UDP as packets)", settings with { TransparentText = "true" }),
            new WireGuardGo(),
            new OpenVpn(),
        ];
        ITunnelContestant[] contestants = [.. all.Where(c => only is null || c.Name.Contains(only, StringComparison.OrdinalIgnoreCase))];
        Cli.Programs.Require([.. contestants.SelectMany(c => c.Programs), "iperf3", "ping"]);
        var figures = new List<TunnelFigures>();
        foreach (ITunnelContestant contestant in contestants)
        {
            cancellationToken.ThrowIfCancellationRequested();
            await using NetworkLab lab = await NetworkLab.CreateAsync(BenchmarkLabs.Unshaped);
            try
            {
                await using IAsyncDisposable running = await contestant.StartAsync(lab, cancellationToken);
                lab.Internet.Start("iperf3", "-s");
                await lab.Internet.WaitForListenerAsync(5201);
                double? up = withTcp ? await TcpAsync(lab, seconds, reverse: false, cancellationToken) : null;
                double? down = withTcp ? await TcpAsync(lab, seconds, reverse: true, cancellationToken) : null;
                progress($"{contestant.Name}: TCP {up:0} up, {down:0} down");
                double packets = await SmallAsync(lab, seconds);
                figures.Add(new TunnelFigures(contestant.Name, up, down, packets, null));
            }
            catch (Exception e) when (e is IOException or TimeoutException)
            {
                figures.Add(new TunnelFigures(contestant.Name, null, null, null, e.Message.Split('\n')[0]));
            }

            progress(figures[^1].ToString());
        }

        return figures;
    }

    private static async Task<double> TcpAsync(NetworkLab lab, int seconds, bool reverse, CancellationToken cancellationToken)
    {
        using JsonDocument report = await IperfAsync(lab, [.. Common(seconds), .. reverse ? (string[])["-R"] : []], cancellationToken);
        return report.RootElement.GetProperty("end").GetProperty("sum_received").GetProperty("bits_per_second").GetDouble() / 1e6;
    }

    /// <summary>As many datagrams of 64 bytes as the client makes; those count that arrived. iperf3's own count of a flood that is mostly lost goes below zero.</summary>
    private static async Task<double> SmallAsync(NetworkLab lab, int seconds) =>
        (await DatagramProbe.RunAsync(lab, 64, MorePerSecondThanAnyoneTakes, TimeSpan.FromSeconds(seconds))).Arrived / (double)seconds;

    private static string[] Common(int seconds) =>
        ["-c", LabAddresses.Internet.ToString(), "-J", "-O", "1", "-t", seconds.ToString(CultureInfo.InvariantCulture)];

    private static async Task<JsonDocument> IperfAsync(NetworkLab lab, string[] arguments, CancellationToken cancellationToken)
    {
        ToolResult result = await lab.Client.RunAsync("iperf3", arguments, cancellationToken);
        return JsonDocument.Parse(result.OutputOrThrow());
    }
}
