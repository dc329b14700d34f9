using Aggregator.Lab.Topology;

namespace Aggregator.Benchmarks.Networks;

/// <summary>The lines that the trunk is measured on.</summary>
internal static class TrunkLabs
{
    /// <summary>The four of docs/design.md, the same both ways. Delays are one way: round trips of 20, 60, 120 and 600 ms.</summary>
    internal static LabSpec Four => new()
    {
        Wans =
        [
            new WanSpec("fibre") { DownMbps = 200, UpMbps = 200, DelayMs = 10 },
            new WanSpec("dsl") { DownMbps = 50, UpMbps = 50, DelayMs = 30, QueueBytes = 2_000_000 },
            new WanSpec("lte") { DownMbps = 30, UpMbps = 30, DelayMs = 60, JitterMs = 10, LossRatio = 0.003 },
            new WanSpec("sat") { DownMbps = 20, UpMbps = 20, DelayMs = 300, LossRatio = 0.001 },
        ],
    };

    /// <summary>2 to 6 lines of 5 to 300 Mbit/s, round trips of 2 to 300 ms, losses up to 1 %, queues of 50 to 2000 KB; the same for the same seed.</summary>
    /// <param name="mostMbps">Of all together: what the emulator carries exactly on the machine at hand.</param>
    internal static LabSpec Random(int seed, double mostMbps = 500)
    {
        var random = new Random(seed);
        var wans = new List<WanSpec>();
        int count = random.Next(2, 7);
        double left = mostMbps;
        for (int i = 1; i <= count; i++)
        {
            // Evenly over magnitudes: as many lines of 5 to 20 as of 75 to 300.
            double rate = Math.Min(Between(random, 5, 300), Math.Max(5, left));
            left -= rate;
            wans.Add(new WanSpec($"wan{i}")
            {
                DownMbps = Math.Round(rate, 1),
                UpMbps = Math.Round(rate, 1),
                DelayMs = Math.Round(Between(random, 1, 150), 1),
                LossRatio = random.Next(2) == 0 ? 0 : Math.Round(Between(random, 0.0001, 0.01), 5),
                QueueBytes = (int)Between(random, 50_000, 2_000_000),
            });
        }

        return new LabSpec { Wans = wans };
    }

    internal static string Describe(LabSpec spec) => string.Join(
        ", ", spec.Wans.Select(w => $"{w.DownMbps:0.#}/{w.DelayMs:0.#}ms{(w.LossRatio > 0 ? $"/{w.LossRatio:0.###%}" : "")}{(w.QueueBytes is { } q ? $"/{q / 1000}k" : "")}"));

    private static double Between(Random random, double low, double high) => low * Math.Pow(high / low, random.NextDouble());
}
