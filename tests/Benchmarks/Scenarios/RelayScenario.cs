using Aggregator.Benchmarks.Contestants;
using Aggregator.Benchmarks.Load;
using Aggregator.Benchmarks.Networks;
using Aggregator.Benchmarks.Report;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;

namespace Aggregator.Benchmarks.Scenarios;

/// <param name="Streams">Numbers of parallel streams, each measured by itself.</param>
internal sealed record RelayOptions(int Rounds, TimeSpan WarmUp, TimeSpan Window, IReadOnlyList<int> Streams);

/// <summary>
/// How much a relay of two hops moves where only processors limit, and what a byte costs. All contestants run at the same time, each
/// in a network of its own, and are loaded one after the other, round by round, so that a change of the machine meets all alike.
/// </summary>
internal static class RelayScenario
{
    internal static async Task<RelayReport> RunAsync(
        IReadOnlyList<Contestant> contestants, RelayOptions options, Action<string> progress, CancellationToken cancellationToken)
    {
        string directory = Directory.CreateTempSubdirectory("aggregator-bench-").FullName;
        var entries = new List<Entry>();
        try
        {
            foreach (Contestant contestant in contestants)
            {
                progress($"starting {contestant.Name}");
                var entry = new Entry(contestant, await NetworkLab.CreateAsync(BenchmarkLabs.Unshaped));
                entries.Add(entry);
                string own = Directory.CreateDirectory(Path.Combine(directory, $"c{entries.Count}")).FullName;
                entry.Path = await contestant.StartAsync(entry.Lab, own);
                await contestant.StartServerAsync(entry.Path);
            }

            var cells = new Dictionary<(Entry Entry, LoadKind Kind, int Streams), Cell>();
            // Round 0 does not count: compilers (JIT), caches and allocators warm up, everyone's alike.
            for (int round = 0; round <= options.Rounds; round++)
            {
                foreach (int streams in options.Streams)
                {
                    foreach (LoadKind kind in (LoadKind[])[LoadKind.Up, LoadKind.Down])
                    {
                        foreach (Entry entry in entries)
                        {
                            progress($"{(round == 0 ? "warming up" : $"round {round} of {options.Rounds}")}: {Name(kind)}, {streams} streams, {entry.Contestant.Name}");
                            var key = (entry, kind, streams);
                            Cell cell = round == 0 ? new Cell() : cells.TryGetValue(key, out Cell? known) ? known : cells[key] = new Cell();
                            await MeasureAsync(entry, kind, streams, options, cell, cancellationToken);
                        }
                    }
                }
            }

            return RelayReport.Of(
                options.Rounds,
                options.Window.TotalSeconds,
                [.. cells.Select(c => c.Value.ToRow(c.Key.Entry.Contestant, Name(c.Key.Kind), c.Key.Streams))]);
        }
        finally
        {
            foreach (Entry entry in entries)
            {
                await entry.DisposeAsync();
            }

            Directory.Delete(directory, recursive: true);
        }
    }

    private static async Task MeasureAsync(
        Entry entry, LoadKind kind, int streams, RelayOptions options, Cell cell, CancellationToken cancellationToken)
    {
        IReadOnlyList<LabProcess> gateway = entry.Contestant.GatewayProcesses, vps = entry.Contestant.VpsProcesses;
        foreach (LabProcess process in (IEnumerable<LabProcess>)[.. gateway, .. vps])
        {
            ProcessUsage.ResetPeak(process.Id);
        }

        double gatewayBefore = Cpu(gateway), vpsBefore = Cpu(vps);
        Task<BulkResult> load = entry.Contestant.RunBulkAsync(
            entry.Path!, new LoadRequest(kind, options.WarmUp, options.Window), streams, cancellationToken);
        // In the middle of the transfer: which protocol carries it?
        await Task.WhenAny(load, Task.Delay(options.WarmUp + (options.Window / 2), cancellationToken));
        bool mptcp = await RivalMptcp.IsSpokenAsync(entry.Lab);
        BulkResult result = await load;

        double gigabytes = result.TotalBytes / 1e9;
        cell.Mptcp |= mptcp;
        cell.Mbps.Add(result.Mbps);
        if (gateway.Count > 0)
        {
            cell.GatewayCpu.Add((Cpu(gateway) - gatewayBefore) / gigabytes);
            cell.GatewayPeak = Math.Max(cell.GatewayPeak ?? 0, gateway.Sum(p => ProcessUsage.Of(p.Id).PeakResidentBytes));
        }

        if (vps.Count > 0)
        {
            cell.VpsCpu.Add((Cpu(vps) - vpsBefore) / gigabytes);
            cell.VpsPeak = Math.Max(cell.VpsPeak ?? 0, vps.Sum(p => ProcessUsage.Of(p.Id).PeakResidentBytes));
        }
    }

    private static double Cpu(IEnumerable<LabProcess> processes) => processes.Sum(p => ProcessUsage.Of(p.Id).CpuSeconds);

    private static string Name(LoadKind kind) => kind == LoadKind.Up ? "up" : "down";

    private sealed class Entry(Contestant contestant, NetworkLab lab) : IAsyncDisposable
    {
        internal Contestant Contestant { get; } = contestant;

        internal NetworkLab Lab { get; } = lab;

        internal LoadPath? Path { get; set; }

        public async ValueTask DisposeAsync()
        {
            await Contestant.DisposeAsync();
            await Lab.DisposeAsync();
        }
    }

    private sealed class Cell
    {
        internal Series Mbps { get; } = new();

        internal Series GatewayCpu { get; } = new();

        internal Series VpsCpu { get; } = new();

        internal long? GatewayPeak { get; set; }

        internal long? VpsPeak { get; set; }

        internal bool Mptcp { get; set; }

        internal RelayRow ToRow(Contestant contestant, string direction, int streams) => new(
            contestant.Name,
            contestant.IsOurs,
            direction,
            streams,
            Mptcp,
            Spread.Of(Mbps),
            GatewayCpu.Count > 0 ? GatewayCpu.Median : null,
            VpsCpu.Count > 0 ? VpsCpu.Median : null,
            GatewayPeak,
            VpsPeak);
    }
}
