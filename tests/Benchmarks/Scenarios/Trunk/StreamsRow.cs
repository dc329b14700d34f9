using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json;
using Aggregator.Benchmarks.Contestants;
using Aggregator.Benchmarks.Load;
using Aggregator.Benchmarks.Networks;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;

namespace Aggregator.Benchmarks.Scenarios.Trunk;

/// <summary>Ten thousand open streams, a hundred of them busy: what that costs the VPS, and what it takes from the hundred.</summary>
internal static class StreamsRow
{
    private const int Open = 10_000;
    private const int Busy = 100;
    private const double MostMb = 250;

    /// <summary>From the start of a load until all its streams run.</summary>
    private static readonly TimeSpan RampTime = TimeSpan.FromSeconds(3);

    /// <summary>Streams go on for so long behind what is measured.</summary>
    private static readonly TimeSpan Slack = TimeSpan.FromSeconds(1);

    internal static TrunkRow Row { get; } = new("streams", "10,000 open streams, 100 of them busy", [], RunAsync);

    private static async Task<IReadOnlyList<TrunkFigure>> RunAsync(TrunkOptions options, CancellationToken cancellationToken)
    {
        await using TrunkBench bench = await TrunkBench.StartAsync(BenchmarkLabs.Unequal, options);
        var path = new LoadPath(bench.Lab.Client, bench.Lab.Internet, new IPEndPoint(LabAddresses.Internet, Contestant.LoadPort), bench.Product.Socks);
        TimeSpan window = options.Seconds(8, 4);
        await RateAsync(bench, path, TimeSpan.FromSeconds(2), cancellationToken);
        double before = await RateAsync(bench, path, window, cancellationToken);
        options.Progress($"{Busy} streams alone: {before:0.0} Mbit/s");

        int idle = Open - Busy;
        string[] command = Generator.Command(
            "storm",
            new IPEndPoint(LabAddresses.Internet, TrunkBench.EchoPort).ToString(),
            "--socks", bench.Product.Socks.ToString(),
            "--flows", TrunkBench.Text(idle),
            "--idle-ms", TrunkBench.Text((long)(RampTime + window + Slack + TimeSpan.FromSeconds(8)).TotalMilliseconds),
            "--limit-ms", "60000");
        LabProcess storm = bench.Lab.Client.Start(command[0], command[1..]);
        StormResult opened = Read(await storm.WaitForLineAsync(l => l.StartsWith('{'), "its first report", TimeSpan.FromMinutes(2)));
        options.Progress($"{idle} open: {opened.Lost} lost, {opened.Seconds:0.0} s");
        ProcessUsage.ResetPeak(bench.Product.Vps.Id);
        double beside = await RateAsync(bench, path, window, cancellationToken);
        ProcessUsage vps = ProcessUsage.Of(bench.Product.Vps.Id), gateway = ProcessUsage.Of(bench.Product.Gateway.Id);
        await storm.WaitForExitAsync(TimeSpan.FromMinutes(2));
        StormResult again = Read(storm.Output.Last(l => l.StartsWith('{')));

        double ratio = beside / before, vpsMb = vps.PeakResidentBytes / 1e6;
        return
        [
            new TrunkFigure("streams", $"VPS resident with {Open} open, {Busy} busy, MB (gateway {gateway.PeakResidentBytes / 1e6:0})", vpsMb.ToString("0", CultureInfo.InvariantCulture), $"< {MostMb:0}", vpsMb < MostMb),
            new TrunkFigure("streams", $"Mbit/s of {Busy} beside {idle} idle / alone", $"{beside:0.0} / {before:0.0} = {ratio:0.000}", "≥ 0.90", ratio >= 0.9),
            new TrunkFigure("streams", "streams lost while opening, and later", $"{opened.Lost}, {again.Lost}", "0, 0", opened.Lost + again.Lost == 0),
        ];
    }

    /// <summary>
    /// What the lines carry while all the busy streams run. Not the sum of what each stream measures: those that end later have the lines
    /// to themselves, and the sum was half as much again as the lines can carry.
    /// </summary>
    private static async Task<double> RateAsync(TrunkBench bench, LoadPath path, TimeSpan window, CancellationToken cancellationToken)
    {
        Task<BulkResult> bulk = Generator.RunBulkAsync(path, new LoadRequest(LoadKind.Down, RampTime, window + Slack), Busy, cancellationToken);
        await Task.Delay(RampTime, cancellationToken);
        long begin = Stopwatch.GetTimestamp(), bytes = Delivered(bench);
        await Task.Delay(window, cancellationToken);
        double mbps = (Delivered(bench) - bytes) * 8 / Stopwatch.GetElapsedTime(begin).TotalSeconds / 1e6;
        await bulk;
        return mbps;
    }

    private static long Delivered(TrunkBench bench) => bench.Lab.Wans.Sum(w => w.Down.Counters.BytesDelivered);

    private static StormResult Read(string line) =>
        JsonSerializer.Deserialize<StormResult>(line, Generator.Json) ?? throw new IOException("no report");
}
