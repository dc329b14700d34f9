using System.Diagnostics;
using Aggregator.Benchmarks.Load;
using Aggregator.Benchmarks.Networks;
using Aggregator.Lab.Topology;

namespace Aggregator.Benchmarks.Scenarios.Trunk;

/// <summary>The main line falls silent at full load, again and again: the longest gap at the reader, and how soon the line carries when it is back.</summary>
internal static class BlackHoleRow
{
    /// <summary>Of a line that carries: a tenth of its rate in the time that is looked at.</summary>
    private const double CarriesPart = 0.1;

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(100);

    internal static TrunkRow Row { get; } = new("blackhole", "the main line goes silent at full load, and comes back", [], RunAsync);

    private static async Task<IReadOnlyList<TrunkFigure>> RunAsync(TrunkOptions options, CancellationToken cancellationToken)
    {
        LabSpec spec = TrunkLabs.Four;
        double limit = 100 + spec.Wans.Skip(1).Min(w => 2 * w.DelayMs);
        var gaps = new List<double>();
        var returns = new List<double>();
        int broken = 0, rounds = options.Times(20, 3);
        await using TrunkBench bench = await TrunkBench.StartAsync(spec, options);
        LabWan main = bench.Lab.Wans[0];
        await bench.TraceAsync(true, TimeSpan.FromSeconds(3), cancellationToken);
        for (int round = 1; round <= rounds; round++)
        {
            bool down = round % 2 == 1;
            LinkFlow flow = new(main, down);
            Task<TraceResult> stream = bench.TraceAsync(down, TimeSpan.FromSeconds(8), cancellationToken);
            await Task.Delay(TimeSpan.FromSeconds(3), cancellationToken);
            double at = StreamTrace.Now;
            main.BlackHole = true;
            await Task.Delay(TimeSpan.FromSeconds(2), cancellationToken);
            main.BlackHole = false;
            double back = await flow.CarriesAfterAsync(cancellationToken);
            returns.Add(back);
            try
            {
                TraceResult result = await stream;
                gaps.Add(result.LongestGapAfter(at));
                options.Progress($"{round}/{rounds} {(down ? "down" : "up")}: gap {gaps[^1]:0} ms, carries again after {back:0} ms");
            }
            catch (IOException e)
            {
                broken++;
                options.Progress($"{round}/{rounds}: the stream broke: {e.Message}");
            }

            await bench.WaitForLanesAsync(spec.Wans.Select(w => w.Name));
        }

        double p95 = TrunkBench.Percentile(gaps, 0.95), slowest = returns.Max();
        return
        [
            new TrunkFigure("blackhole", $"longest gap at the reader, p95 of {gaps.Count}, ms (median {TrunkBench.Median(gaps):0}, most {gaps.DefaultIfEmpty(double.NaN).Max():0})", $"{p95:0}", $"≤ {limit:0}", p95 <= limit),
            new TrunkFigure("blackhole", "streams broken", $"{broken} of {rounds}", "0", broken == 0),
            new TrunkFigure("blackhole", $"link back: carries after, ms (median {TrunkBench.Median(returns):0})", $"most {slowest:0}", "≤ 1000", slowest <= 1000),
        ];
    }

    /// <summary>What a line carries in one direction.</summary>
    private sealed class LinkFlow(LabWan wan, bool down)
    {
        private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

        private long Delivered => (down ? wan.Down : wan.Up).Counters.BytesDelivered;

        /// <returns>Milliseconds until the line carried a tenth of its rate; without bound when it did not.</returns>
        internal async Task<double> CarriesAfterAsync(CancellationToken cancellationToken)
        {
            long begin = Stopwatch.GetTimestamp();
            double wanted = (down ? wan.Spec.DownMbps : wan.Spec.UpMbps)!.Value * 1e6 / 8 * Look.TotalSeconds * CarriesPart;
            var history = new Queue<(long At, long Bytes)>();
            while (Stopwatch.GetElapsedTime(begin) < Patience)
            {
                long now = Delivered;
                while (history.Count > 0 && Stopwatch.GetElapsedTime(history.Peek().At) > Look)
                {
                    history.Dequeue();
                }

                if (history.Count > 0 && now - history.Peek().Bytes >= wanted)
                {
                    return Stopwatch.GetElapsedTime(begin).TotalMilliseconds;
                }

                history.Enqueue((Stopwatch.GetTimestamp(), now));
                await Task.Delay(TimeSpan.FromMilliseconds(10), cancellationToken);
            }

            return double.PositiveInfinity;
        }
    }
}
