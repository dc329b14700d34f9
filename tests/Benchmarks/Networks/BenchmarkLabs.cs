using Aggregator.Lab.Topology;

namespace Aggregator.Benchmarks.Networks;

internal static class BenchmarkLabs
{
    /// <summary>Two WANs that are plain veth pairs: only processors limit.</summary>
    internal static LabSpec Unshaped => new()
    {
        Wans = [new WanSpec("one") { Unshaped = true }, new WanSpec("two") { Unshaped = true }],
    };

    /// <summary>Two unequal lines, the same both ways.</summary>
    internal static LabSpec Unequal => new()
    {
        Wans =
        [
            new WanSpec("fast") { DownMbps = 100, UpMbps = 100, DelayMs = 10 },
            new WanSpec("slow") { DownMbps = 50, UpMbps = 50, DelayMs = 30 },
        ],
    };

    /// <summary>Two alike, so that each has its part in whatever goes on; the first is the one that faults happen to.</summary>
    internal static LabSpec Faults => new()
    {
        Wans =
        [
            new WanSpec("one") { DownMbps = 30, UpMbps = 30, DelayMs = 10 },
            new WanSpec("two") { DownMbps = 30, UpMbps = 30, DelayMs = 15 },
        ],
    };
}
