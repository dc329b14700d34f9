using System.Diagnostics;
using Aggregator.Lab.Topology;

namespace Aggregator.Benchmarks.Scenarios.Packets;

/// <summary>What stands in each line's upward queue from moment to moment: why a packet was late.</summary>
internal sealed class LineQueues
{
    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(2);

    private readonly NetworkLab _lab;
    private readonly List<(long At, double[] Ms)> _samples = [];
    private readonly Task _loop;
    private volatile bool _ends;

    internal LineQueues(NetworkLab lab)
    {
        _lab = lab;
        _loop = Task.Run(RunAsync);
    }

    /// <summary>Of a look that is over: the latest packets, each with the queues at its sending and how late our own look at them was.</summary>
    internal string Explain(DatagramResult result, int most) => string.Join("; ", Enumerable.Range(0, result.DelaysMs.Length)
        .OrderByDescending(i => result.DelaysMs[i])
        .Take(most)
        .OrderBy(i => result.Numbers[i])
        .Select(i =>
        {
            var (at, ms) = _samples.MinBy(s => Math.Abs(s.At - result.SentAt[i]));
            return $"#{result.Numbers[i]} {result.DelaysMs[i]:0.0} ms (queues {string.Join("/", ms.Select(q => $"{q:0}"))}, looked {Stopwatch.GetElapsedTime(result.SentAt[i], at).TotalMilliseconds:0.0} ms after)";
        }));

    /// <summary>The part of the samples in which a line's queue was longer.</summary>
    internal string Longer(double ms) => string.Join(", ", _lab.Wans.Select((w, i) => $"{w.Name} {_samples.Count(s => s.Ms[i] > ms) / (double)Math.Max(1, _samples.Count):0.0%}"));

    internal async Task EndAsync()
    {
        _ends = true;
        await _loop;
    }

    private async Task RunAsync()
    {
        while (!_ends)
        {
            _samples.Add((Stopwatch.GetTimestamp(), [.. _lab.Wans.Select(w => w.Up.Counters.QueueBytesNow * 8 / 1000.0 / (w.Spec.UpMbps ?? 1e6))]));
            await Task.Delay(Period);
        }
    }
}
