using System.Globalization;
using System.Text.Json;
using Aggregator.Benchmarks.Load;
using Aggregator.Benchmarks.Networks;
using Aggregator.Benchmarks.Report;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Aggregator.Processes;

namespace Aggregator.Benchmarks.Scenarios;

/// <param name="Ratio">Over the better of the raw ways; null for these.</param>
internal sealed record AggregationRow(string Way, string Direction, Spread Mbps, double? Ratio);

internal sealed record AggregationReport(int Rounds, long Bytes, int Connections, double LinesMbps, IReadOnlyList<AggregationRow> Rows);

/// <summary>
/// One transfer over two unequal lines: raw kernel MPTCP (iperf3) against one curl through our gateway, by SOCKS5, HTTP CONNECT and
/// transparently. All move the same number of bytes and count from the first to the last. With the carrier mptcp a second gateway leaves its subflows
/// to the kernel (`paths: kernel`).
/// </summary>
internal static class AggregationScenario
{
    private const int HttpPort = 8080;
    private const int IperfPort = 5201;

    internal static async Task<AggregationReport> RunAsync(
        LabSpec spec, int rounds, TimeSpan length, int connections, ProductSettings settings, Action<string> progress, CancellationToken cancellationToken)
    {
        double down = spec.Wans.Sum(w => w.DownMbps ?? 0), up = spec.Wans.Sum(w => w.UpMbps ?? 0);
        long bytes = (long)(Math.Min(down, up) * 1e6 / 8 * length.TotalSeconds) / connections * connections;

        await using NetworkLab rawLab = await NetworkLab.CreateAsync(spec);
        await RivalMptcp.PrepareAsync(rawLab);
        await using NetworkLab lab = await NetworkLab.CreateAsync(spec);
        await using AggregatorUnderTest product = await AggregatorUnderTest.StartAsync(lab, settings);
        bool compares = settings is { Carrier: "mptcp", GatewayMore: "" };
        await using NetworkLab? kernelLab = compares ? await NetworkLab.CreateAsync(spec) : null;
        await using AggregatorUnderTest? kernelProduct = kernelLab is null
            ? null
            : await AggregatorUnderTest.StartAsync(kernelLab, settings with { GatewayMore = "paths: kernel\n" });
        foreach (NetworkLab each in (NetworkLab[])[rawLab, lab])
        {
            each.Vps.Start("mptcpize", "run", "iperf3", "-s", "-p", Text(IperfPort));
            await each.Vps.WaitForListenerAsync(IperfPort);
        }

        string[] http = Generator.Command("http", $"{LabAddresses.Internet}:{HttpPort}");
        foreach (NetworkLab each in (NetworkLab[])[lab, .. kernelLab is null ? (NetworkLab[])[] : [kernelLab]])
        {
            each.Internet.Start(http[0], http[1..]);
            await each.Internet.WaitForListenerAsync(HttpPort);
        }

        Task<double> CurlsAsync(NetworkLab over, bool isDown, params string[] proxy) => SeveralAsync(over, bytes, connections, isDown, proxy, cancellationToken);
        (string Name, bool Raw, Func<bool, Task<double>> Measure)[] ways =
        [
            ("kernel MPTCP, iperf3", true, d => IperfAsync(rawLab, bytes, connections, d, cancellationToken)),
            ("kernel MPTCP, iperf3, with our gateway's settings", true, d => IperfAsync(lab, bytes, connections, d, cancellationToken)),
            ("curl, SOCKS5", false, d => CurlsAsync(lab, d, "--socks5-hostname", product.Socks.ToString())),
            .. kernelLab is null
                ? ((string, bool, Func<bool, Task<double>>)[])[]
                : [("curl, SOCKS5, paths: kernel", false, d => CurlsAsync(kernelLab, d, "--socks5-hostname", product.Socks.ToString()))],
            ("curl, HTTP CONNECT", false, d => CurlsAsync(lab, d, "--proxytunnel", "--proxy", $"http://{product.Http}")),
            ("curl, transparent", false, d => CurlsAsync(lab, d)),
        ];
        var series = new Dictionary<(string Way, bool Down), Series>();
        for (int round = 1; round <= rounds; round++)
        {
            foreach (bool isDown in (bool[])[true, false])
            {
                foreach (var way in ways)
                {
                    progress($"round {round} of {rounds}: {(isDown ? "down" : "up")}, {way.Name}");
                    var key = (way.Name, isDown);
                    Series into = series.TryGetValue(key, out Series? known) ? known : series[key] = new Series();
                    into.Add(await way.Measure(isDown));
                }
            }
        }

        var rows = new List<AggregationRow>();
        foreach (bool isDown in (bool[])[true, false])
        {
            double best = ways.Where(w => w.Raw).Max(w => series[(w.Name, isDown)].Median);
            rows.AddRange(ways.Select(w =>
            {
                Series own = series[(w.Name, isDown)];
                return new AggregationRow(w.Name, isDown ? "down" : "up", Spread.Of(own), w.Raw ? null : own.Median / best);
            }));
        }

        return new AggregationReport(rounds, bytes, connections, Math.Min(down, up), rows);
    }

    private static async Task<double> IperfAsync(NetworkLab lab, long bytes, int connections, bool down, CancellationToken cancellationToken)
    {
        ToolResult result = await lab.Gateway.RunAsync(
            "mptcpize",
            ["run", "iperf3", "-J", "-c", LabAddresses.Vps.ToString(), "-p", Text(IperfPort), "-n", Text(bytes / connections), "-P", Text(connections), .. down ? (string[])["-R"] : []],
            cancellationToken);
        using JsonDocument report = JsonDocument.Parse(result.OutputOrThrow());
        return report.RootElement.GetProperty("end").GetProperty("sum_received").GetProperty("bits_per_second").GetDouble() / 1e6;
    }

    /// <returns>Mbit/s of all together, until the last has ended.</returns>
    private static async Task<double> SeveralAsync(
        NetworkLab lab, long bytes, int connections, bool down, IReadOnlyList<string> proxy, CancellationToken cancellationToken)
    {
        double[] seconds = await Task.WhenAll(
            Enumerable.Range(0, connections).Select(_ => CurlAsync(lab, bytes / connections, down, proxy, cancellationToken)));
        return bytes * 8 / seconds.Max() / 1e6;
    }

    /// <returns>Seconds.</returns>
    private static async Task<double> CurlAsync(
        NetworkLab lab, long bytes, bool down, IReadOnlyList<string> proxy, CancellationToken cancellationToken)
    {
        string server = $"http://{LabAddresses.Internet}:{HttpPort}";
        string[] common = ["-sS", "--fail", "--max-time", "120", .. proxy];
        // The upload's body comes from a pipe: no file, and curl's rate counts nothing that is not acknowledged by the answer.
        string[] arguments = down
            ? [.. common, "-o", "/dev/null", "-w", "%{size_download} %{time_total}", $"{server}/bytes/{Text(bytes)}"]
            : [.. common, "-o", "/dev/null", "-w", "%{size_upload} %{time_total}", "-H", "Expect:", "-H", $"Content-Length: {Text(bytes)}",
                "-H", "Transfer-Encoding:", "-T", "-", $"{server}/upload"];
        string output = down
            ? (await lab.Client.RunAsync("curl", arguments, cancellationToken)).OutputOrThrow()
            : (await lab.Client.RunAsync(
                "/bin/sh",
                ["-c", $"head -c {Text(bytes)} /dev/zero | curl \"$@\"", "curl", .. arguments],
                cancellationToken)).OutputOrThrow();
        string[] fields = output.Trim().Split(' ');
        long moved = long.Parse(fields[0], CultureInfo.InvariantCulture);
        double seconds = double.Parse(fields[1], CultureInfo.InvariantCulture);
        return moved == bytes ? seconds : throw new IOException($"curl moved {moved} of {bytes} bytes");
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
