using System.Globalization;
using System.Net;
using System.Text.Json;
using Aggregator.Benchmarks.Contestants;
using Aggregator.Benchmarks.Load;
using Aggregator.Benchmarks.Report;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Aggregator.Processes;

namespace Aggregator.Benchmarks.Scenarios.Trunk;

/// <summary>A lab with both daemons and the load's servers, and what every row does with them.</summary>
internal sealed class TrunkBench : IAsyncDisposable
{
    internal const int EchoPort = 5400;

    /// <summary>For a lane of a satellite to be dialled and greeted.</summary>
    private static readonly TimeSpan LanesTime = TimeSpan.FromSeconds(20);

    private TrunkBench(NetworkLab lab, AggregatorUnderTest product)
    {
        Lab = lab;
        Product = product;
    }

    internal NetworkLab Lab { get; }

    internal AggregatorUnderTest Product { get; }

    internal static async Task<TrunkBench> StartAsync(LabSpec spec, TrunkOptions options)
    {
        NetworkLab lab = await NetworkLab.CreateAsync(spec);
        options.Progress($"lab {lab.Id}: {Networks.TrunkLabs.Describe(spec)}");
        try
        {
            var bench = new TrunkBench(lab, await AggregatorUnderTest.StartAsync(lab, options.Settings));
            string[] load = Generator.Command("server", $"0.0.0.0:{Text(Contestant.LoadPort)}");
            string[] echo = Generator.Command("echo", $"0.0.0.0:{Text(EchoPort)}");
            lab.Internet.Start(load[0], load[1..]);
            lab.Internet.Start(echo[0], echo[1..]);
            await lab.Internet.WaitForListenerAsync(Contestant.LoadPort);
            await lab.Internet.WaitForListenerAsync(EchoPort);
            await bench.WaitForLanesAsync(spec.Wans.Select(w => w.Name));
            return bench;
        }
        catch
        {
            await lab.DisposeAsync();
            throw;
        }
    }

    /// <summary>One bulk stream and what its reader saw.</summary>
    internal Task<TraceResult> TraceAsync(bool down, TimeSpan length, CancellationToken cancellationToken) =>
        TraceAsync(Lab.Client, Lab.Internet.Address!, Product.Socks, down, length, false, cancellationToken);

    internal static async Task<TraceResult> TraceAsync(
        LabHost from, IPAddress target, IPEndPoint? socks, bool down, TimeSpan length, bool mptcp, CancellationToken cancellationToken)
    {
        string[] command =
        [
            .. mptcp ? (string[])["mptcpize", "run"] : [],
            .. Generator.Command(
                "trace",
                new IPEndPoint(target, Contestant.LoadPort).ToString(),
                "--kind", down ? "down" : "up",
                "--length-ms", Text((int)length.TotalMilliseconds)),
            .. socks is null ? (string[])[] : ["--socks", socks.ToString()],
        ];
        ToolResult result = await from.RunAsync(command[0], command[1..], cancellationToken);
        return JsonSerializer.Deserialize<TraceResult>(result.OutputOrThrow(), Generator.Json) ?? throw new IOException("the generator printed nothing");
    }

    /// <summary>The times of small requests in ms, each on a stream of its own.</summary>
    internal async Task<double[]> RequestsAsync(int count, CancellationToken cancellationToken)
    {
        string[] command = Generator.Command(
            "requests", new IPEndPoint(LabAddresses.Internet, EchoPort).ToString(), "--count", Text(count), "--socks", Product.Socks.ToString());
        ToolResult result = await Lab.Client.RunAsync(command[0], command[1..], cancellationToken);
        return JsonSerializer.Deserialize<double[]>(result.OutputOrThrow(), Generator.Json) ?? throw new IOException("the generator printed nothing");
    }

    /// <summary>What each line carries alone, over its own lane: the others are switched off meanwhile, and on again afterwards.</summary>
    internal async Task<IReadOnlyDictionary<string, double>> EachAloneAsync(
        bool down, TimeSpan length, Action<string> progress, CancellationToken cancellationToken)
    {
        var alone = new Dictionary<string, double>();
        string[] names = [.. Lab.Wans.Select(w => w.Name)];
        foreach (string name in names)
        {
            foreach (string other in names)
            {
                await RoleAsync(other, other == name ? "active" : "off");
            }

            await WaitForLanesAsync([name]);
            TraceResult result = await TraceAsync(down, length, cancellationToken);
            // The second half: a satellite's slow start takes seconds, and the sum shall be what the lines can.
            alone[name] = result.Mbps(result.Bins.Count / 2, int.MaxValue);
            progress($"{(down ? "down" : "up")}, {name} alone: {alone[name]:0.0} Mbit/s");
        }

        foreach (string name in names)
        {
            await RoleAsync(name, "active");
        }

        await WaitForLanesAsync(names);
        return alone;
    }

    /// <summary>Waits until exactly these links' lanes carry (or are held back by the guard, which is a decision and no fault), and a moment longer: what the switch left behind has drained by then.</summary>
    internal async Task WaitForLanesAsync(IEnumerable<string> links)
    {
        string[] wanted = [.. links.Order(StringComparer.Ordinal)];
        if (!(await Product.StatusAsync()).TryGetProperty("trunk", out JsonElement trunk) || trunk.ValueKind != JsonValueKind.Object)
        {
            // The carrier is another one.
            return;
        }

        await Product.WaitForStatusAsync(
            s => Present(s).SequenceEqual(wanted), $"lanes over {string.Join(", ", wanted)} and no others", LanesTime);
        await Task.Delay(TimeSpan.FromMilliseconds(700));
    }

    internal async Task RoleAsync(string link, string role) => (await Product.GatewayCommandAsync("link", link, role)).OutputOrThrow();

    /// <summary>The most memory that bytes out of order took at the receiver since this was last asked, as the receiver tells it.</summary>
    internal async Task<double?> ReorderPeakMbAsync(bool down)
    {
        JsonElement status;
        if (down)
        {
            status = (await Product.StatusAsync()).GetProperty("trunk");
        }
        else
        {
            using JsonDocument vps = JsonDocument.Parse((await Product.VpsCommandAsync("status", "--json")).OutputOrThrow());
            status = vps.RootElement.GetProperty("gateways")[0].GetProperty("trunk").Clone();
        }

        return status.ValueKind == JsonValueKind.Object && status.GetProperty("reorder_peak_bytes") is { ValueKind: JsonValueKind.Number } peak
            ? peak.GetInt64() / 1e6
            : null;
    }

    public async ValueTask DisposeAsync()
    {
        await Product.DisposeAsync();
        await Lab.DisposeAsync();
    }

    internal static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    /// <summary>Of a sorted or unsorted set, by the nearest rank.</summary>
    internal static double Percentile(IEnumerable<double> values, double part)
    {
        double[] sorted = [.. values.Order()];
        return sorted.Length == 0 ? double.NaN : sorted[Math.Clamp((int)Math.Ceiling(part * sorted.Length) - 1, 0, sorted.Length - 1)];
    }

    internal static double Median(IEnumerable<double> values)
    {
        var series = new Series();
        foreach (double value in values)
        {
            series.Add(value);
        }

        return series.Median;
    }

    private static IEnumerable<string> Present(JsonElement status) => status.GetProperty("trunk").GetProperty("lanes").EnumerateArray()
        .Where(l => l.GetProperty("state").GetString() is "carrying" or "demoted")
        .Select(l => l.GetProperty("link").GetString()!)
        .Distinct()
        .Order(StringComparer.Ordinal);
}
