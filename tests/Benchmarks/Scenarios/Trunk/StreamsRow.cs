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

    internal static TrunkRow Row { get; } = new("streams", "10,000 open streams, 100 of them busy", [], RunAsync);

    private static async Task<IReadOnlyList<TrunkFigure>> RunAsync(TrunkOptions options, CancellationToken cancellationToken)
    {
        await using TrunkBench bench = await TrunkBench.StartAsync(BenchmarkLabs.Unequal, options);
        var path = new LoadPath(bench.Lab.Client, bench.Lab.Internet, new IPEndPoint(LabAddresses.Internet, Contestant.LoadPort), bench.Product.Socks);
        var request = new LoadRequest(LoadKind.Down, TimeSpan.FromSeconds(3), options.Seconds(8, 4));
        await Generator.RunBulkAsync(path, request with { Window = TimeSpan.FromSeconds(2) }, Busy, cancellationToken);
        BulkResult before = await Generator.RunBulkAsync(path, request, Busy, cancellationToken);
        options.Progress($"{Busy} streams alone: {before.Mbps:0.0} Mbit/s");

        int idle = Open - Busy;
        string[] command = Generator.Command(
            "storm",
            new IPEndPoint(LabAddresses.Internet, TrunkBench.EchoPort).ToString(),
            "--socks", bench.Product.Socks.ToString(),
            "--flows", TrunkBench.Text(idle),
            "--idle-ms", TrunkBench.Text((long)(request.WarmUp + request.Window + TimeSpan.FromSeconds(8)).TotalMilliseconds),
            "--limit-ms", "60000");
        LabProcess storm = bench.Lab.Client.Start(command[0], command[1..]);
        StormResult opened = Read(await storm.WaitForLineAsync(l => l.StartsWith('{'), "its first report", TimeSpan.FromMinutes(2)));
        options.Progress($"{idle} open: {opened.Lost} lost, {opened.Seconds:0.0} s");
        ProcessUsage.ResetPeak(bench.Product.Vps.Id);
        BulkResult beside = await Generator.RunBulkAsync(path, request, Busy, cancellationToken);
        ProcessUsage vps = ProcessUsage.Of(bench.Product.Vps.Id), gateway = ProcessUsage.Of(bench.Product.Gateway.Id);
        await storm.WaitForExitAsync(TimeSpan.FromMinutes(2));
        StormResult again = Read(storm.Output.Last(l => l.StartsWith('{')));

        double ratio = beside.Mbps / before.Mbps, vpsMb = vps.PeakResidentBytes / 1e6;
        return
        [
            new TrunkFigure("streams", $"VPS resident with {Open} open, {Busy} busy, MB (gateway {gateway.PeakResidentBytes / 1e6:0})", vpsMb.ToString("0", CultureInfo.InvariantCulture), $"< {MostMb:0}", vpsMb < MostMb),
            new TrunkFigure("streams", $"Mbit/s of {Busy} beside {idle} idle / alone", $"{beside.Mbps:0.0} / {before.Mbps:0.0} = {ratio:0.000}", "≥ 0.90", ratio >= 0.9),
            new TrunkFigure("streams", "streams lost while opening, and later", $"{opened.Lost}, {again.Lost}", "0, 0", opened.Lost + again.Lost == 0),
        ];
    }

    private static StormResult Read(string line) =>
        JsonSerializer.Deserialize<StormResult>(line, Generator.Json) ?? throw new IOException("no report");
}
