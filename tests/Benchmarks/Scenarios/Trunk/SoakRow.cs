using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Aggregator.Benchmarks.Load;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;

namespace Aggregator.Benchmarks.Scenarios.Trunk;

/// <summary>Many byte-checked streams for minutes while lines fall silent, lose their cable, vanish, change their rates and are switched; one line stays.</summary>
internal static class SoakRow
{
    private const int Tracks = 12;

    internal static TrunkRow Row { get; } = new("soak", "byte-checked streams under random flaps", [], RunAsync);

    /// <summary>Slow lines: what is looked for is a wrong byte in minutes of flaps, and not how many there are of them; other programs have the processors.</summary>
    private static LabSpec Lines => new()
    {
        Wans =
        [
            new WanSpec("fibre") { DownMbps = 16, UpMbps = 12, DelayMs = 10 },
            new WanSpec("dsl") { DownMbps = 8, UpMbps = 4, DelayMs = 25, QueueBytes = 500_000 },
            new WanSpec("lte") { DownMbps = 6, UpMbps = 4, DelayMs = 50, JitterMs = 10, LossRatio = 0.003 },
            new WanSpec("dependable") { DownMbps = 4, UpMbps = 2, DelayMs = 40 },
        ],
    };

    private static async Task<IReadOnlyList<TrunkFigure>> RunAsync(TrunkOptions options, CancellationToken cancellationToken)
    {
        await using TrunkBench bench = await TrunkBench.StartAsync(Lines, options);
        string[] command = Generator.Command(
            "soak",
            new IPEndPoint(LabAddresses.Internet, TrunkBench.EchoPort).ToString(),
            "--socks", bench.Product.Socks.ToString(),
            "--tracks", TrunkBench.Text(Tracks),
            "--length-ms", TrunkBench.Text((long)options.Soak.TotalMilliseconds),
            "--seed", TrunkBench.Text(options.Seed));
        ProcessUsage vpsBefore = ProcessUsage.Of(bench.Product.Vps.Id), gatewayBefore = ProcessUsage.Of(bench.Product.Gateway.Id);
        LabProcess client = bench.Lab.Client.Start(command[0], command[1..]);
        int flaps = await FlapAsync(bench, options, client, cancellationToken);
        if (await client.WaitForExitAsync(TimeSpan.FromMinutes(2)) != 0)
        {
            throw new IOException($"the soak's client failed\n{client.Transcript()}");
        }

        SoakResult result = JsonSerializer.Deserialize<SoakResult>(client.Output.Last(l => l.StartsWith('{')), Generator.Json)
            ?? throw new IOException("no report");
        foreach ((string error, int count) in result.Errors)
        {
            options.Progress($"{count} × {error}");
        }

        ProcessUsage vps = ProcessUsage.Of(bench.Product.Vps.Id), gateway = ProcessUsage.Of(bench.Product.Gateway.Id);
        return
        [
            new TrunkFigure("soak", $"streams with wrong bytes, of {result.Finished + result.WrongBytes + result.Broken}, {result.Bytes / 1e9:0.0} GB, {flaps} flaps in {options.Soak.TotalMinutes:0.0} min", $"{result.WrongBytes}", "0", result.WrongBytes == 0),
            new TrunkFigure("soak", "streams broken", $"{result.Broken}", "0", result.Broken == 0),
            new TrunkFigure("soak", "resident before and after, MB: VPS, gateway", $"{vpsBefore.ResidentBytes / 1e6:0} → {vps.ResidentBytes / 1e6:0}, {gatewayBefore.ResidentBytes / 1e6:0} → {gateway.ResidentBytes / 1e6:0}", "", null),
            new TrunkFigure("soak", "longest wait of a stream for bytes, ms", $"{result.LongestGapMs:0}", "", null),
        ];
    }

    /// <returns>How many there were.</returns>
    private static async Task<int> FlapAsync(TrunkBench bench, TrunkOptions options, LabProcess client, CancellationToken cancellationToken)
    {
        var random = new Random(options.Seed);
        long begin = Stopwatch.GetTimestamp();
        int flaps = 0;
        LabWan[] unsteady = [.. bench.Lab.Wans.Take(3)];
        while (Stopwatch.GetElapsedTime(begin) < options.Soak && !client.HasExited)
        {
            LabWan wan = unsteady[random.Next(unsteady.Length)];
            TimeSpan out_ = TimeSpan.FromSeconds(0.2 + (random.NextDouble() * 4)), between = TimeSpan.FromSeconds(0.2 + (random.NextDouble() * 3));
            switch (random.Next(5))
            {
                case 0 or 1:
                    wan.BlackHole = true;
                    await Task.Delay(out_, cancellationToken);
                    wan.BlackHole = false;
                    break;
                case 2:
                    await wan.CarrierAsync(false);
                    await Task.Delay(out_, cancellationToken);
                    await wan.CarrierAsync(true);
                    break;
                case 3:
                    await bench.RoleAsync(wan.Name, random.Next(2) == 0 ? "off" : "backup");
                    await Task.Delay(out_, cancellationToken);
                    await bench.RoleAsync(wan.Name, "active");
                    break;
                default:
                    double factor = 0.1 + random.NextDouble();
                    wan.SetBoth(s => s with { RateMbps = s.RateMbps * factor });
                    await Task.Delay(out_, cancellationToken);
                    wan.SetBoth(s => s with { RateMbps = s.RateMbps / factor });
                    break;
            }

            flaps++;
            if (flaps % 20 == 0)
            {
                options.Progress($"{flaps} flaps, {Stopwatch.GetElapsedTime(begin).TotalMinutes:0.0} of {options.Soak.TotalMinutes:0.0} min");
            }

            await Task.Delay(between, cancellationToken);
        }

        return flaps;
    }
}
