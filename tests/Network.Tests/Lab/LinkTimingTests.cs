using System.Net;
using Aggregator.Lab.Topology;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Aggregator.Network.Tests.Lab;

/// <summary>The emulator's promise: the rate within 2 %, the delay within 1 ms, up to 300 Mbit/s. Measured with real datagrams and the kernel's clock.</summary>
[Collection(ExclusiveCpuCollection.Name)]
public sealed class LinkTimingTests(ITestOutputHelper output)
{
    private const double RateTolerance = 0.02;
    private const double DelayToleranceMs = 1;

    private static readonly TimeSpan Quiet = TimeSpan.FromMilliseconds(300);

    [SkippableTheory]
    [InlineData(10, true)]
    [InlineData(100, true)]
    [InlineData(300, true)]
    [InlineData(300, false)]
    public async Task An_overloaded_line_carries_its_rate(double mbps, bool down)
    {
        await using var lab = await LabTest.CreateAsync(new WanSpec("a") { DownMbps = mbps, UpMbps = mbps, DelayMs = 5 });
        using var probe = Probe(lab, lab.Wans[0], down);
        probe.Send(mbps * 1.2, TimeSpan.FromSeconds(2.5));
        var arrivals = probe.Finish(Quiet);

        CheckRate(mbps, arrivals);
        var direction = down ? lab.Wans[0].Down : lab.Wans[0].Up;
        direction.Counters.PacketsDroppedByQueue.ShouldBeGreaterThan(0, "the line was not overloaded");
        direction.Counters.PacketsDroppedByLoss.ShouldBe(0);
        arrivals.Length.ShouldBeLessThanOrEqualTo((int)direction.Counters.PacketsDelivered);
    }

    [SkippableFact]
    public async Task Four_lines_at_once_carry_their_rates()
    {
        double[] rates = [200, 50, 30, 20];
        await using var lab = await LabTest.CreateAsync(
            [.. rates.Select((r, i) => new WanSpec($"w{i}") { DownMbps = r, UpMbps = r, DelayMs = 10 * (i + 1) })]);
        var probes = lab.Wans.Select(w => Probe(lab, w, down: true)).ToArray();
        try
        {
            var threads = probes.Select((p, i) => new Thread(() => p.Send(rates[i] * 1.2, TimeSpan.FromSeconds(2.5)))).ToArray();
            Array.ForEach(threads, t => t.Start());
            Array.ForEach(threads, t => t.Join());
            for (int i = 0; i < rates.Length; i++)
            {
                CheckRate(rates[i], probes[i].Finish(Quiet));
            }
        }
        finally
        {
            Array.ForEach(probes, p => p.Dispose());
        }
    }

    [SkippableTheory]
    [InlineData(10, 10, true)]
    [InlineData(100, 30, true)]
    [InlineData(300, 10, true)]
    [InlineData(300, 10, false)]
    [InlineData(300, 0, true)]
    [InlineData(50, 300, true)]
    public async Task Every_packet_comes_when_an_ideal_line_would_deliver_it(double mbps, double delayMs, bool down)
    {
        await using var lab = await LabTest.CreateAsync(new WanSpec("a") { DownMbps = mbps, UpMbps = mbps, DelayMs = delayMs });
        using var probe = Probe(lab, lab.Wans[0], down);
        probe.SendOne();
        probe.Finish(Quiet, 1).Length.ShouldBe(1, "the first one resolves the addresses");

        probe.Send(mbps * 0.9, TimeSpan.FromSeconds(2));
        var arrivals = probe.Finish(Quiet, probe.SentCount)[1..];
        arrivals.Length.ShouldBe(probe.SentCount - 1, "nothing may be lost below the rate");
        arrivals.Select(a => a.Number).ShouldBe(Enumerable.Range(1, arrivals.Length), "the order holds");

        // A line that is ideal: one packet after the other, each in exactly its time.
        var errors = new double[arrivals.Length];
        double serialisationNs = DatagramProbe.IpBytes * 8 / (mbps * 1e6) * 1e9;
        double free = 0;
        for (int i = 0; i < arrivals.Length; i++)
        {
            free = Math.Max(free, arrivals[i].SentNs) + serialisationNs;
            errors[i] = (arrivals[i].ReceivedNs - free) / 1e6 - delayMs;
        }

        Report(FormattableString.Invariant($"{mbps} Mbit/s, {delayMs} ms"), errors);
        Math.Abs(DatagramProbe.Median(errors)).ShouldBeLessThan(DelayToleranceMs);
        DatagramProbe.Percentile(errors, 0.05).ShouldBeGreaterThan(-DelayToleranceMs, "nothing comes early");
    }

    [SkippableTheory]
    [InlineData(0)]
    [InlineData(10)]
    [InlineData(100)]
    public async Task A_lone_packet_on_an_idle_line_takes_the_delay(double delayMs)
    {
        await using var lab = await LabTest.CreateAsync(new WanSpec("a") { DownMbps = 100, UpMbps = 100, DelayMs = delayMs });
        using var probe = Probe(lab, lab.Wans[0], down: true);
        probe.SendOne();
        probe.Finish(Quiet, 1).Length.ShouldBe(1, "the first one resolves the addresses");
        for (int i = 0; i < 50; i++)
        {
            probe.SendOne();
            await Task.Delay(TimeSpan.FromMilliseconds(10));
        }

        var arrivals = probe.Finish(Quiet, probe.SentCount);
        arrivals.Length.ShouldBe(51);
        double serialisationMs = DatagramProbe.IpBytes * 8 / 100e6 * 1e3;
        double[] errors = [.. arrivals.Skip(1).Select(a => a.DelayMs - delayMs - serialisationMs)];
        Report($"lone packets, {delayMs} ms", errors);
        Math.Abs(DatagramProbe.Median(errors)).ShouldBeLessThan(DelayToleranceMs);
    }

    [SkippableFact]
    public async Task A_rate_changed_live_holds_at_once()
    {
        await using var lab = await LabTest.CreateAsync(new WanSpec("a") { DownMbps = 100, UpMbps = 100, DelayMs = 5, QueueBytes = 100_000 });
        using var probe = Probe(lab, lab.Wans[0], down: true);
        probe.Send(120, TimeSpan.FromSeconds(1));
        probe.Finish(Quiet);
        int before = probe.ReceivedCount;
        lab.Wans[0].Down.Set(s => s with { RateMbps = 20, Delay = TimeSpan.FromMilliseconds(40) });
        probe.Send(30, TimeSpan.FromSeconds(2));
        var arrivals = probe.Finish(Quiet)[before..];

        CheckRate(20, arrivals);
        arrivals[0].DelayMs.ShouldBeGreaterThan(40 - DelayToleranceMs);
    }

    private static DatagramProbe Probe(NetworkLab lab, LabWan wan, bool down) => down
        ? new DatagramProbe(lab.Vps, lab.Gateway, wan.Address!)
        : new DatagramProbe(lab.Gateway, lab.Vps, LabAddresses.Vps, wan.Address);

    /// <summary>
    /// The median of windows of 100 ms, and the whole for its upper bound: a sender that a busy machine held up is not the line's fault, but no line may
    /// ever carry more than its rate.
    /// </summary>
    private void CheckRate(double mbps, DatagramProbe.Arrival[] arrivals)
    {
        const long WindowNs = 100_000_000;
        arrivals.Length.ShouldBeGreaterThan(100);
        var windows = new List<double>();
        int first = 0;
        for (int i = 1; i < arrivals.Length; i++)
        {
            if (arrivals[i].ReceivedNs - arrivals[first].ReceivedNs >= WindowNs)
            {
                windows.Add(DatagramProbe.RateMbps(arrivals.AsSpan(first, i - first + 1)));
                first = i;
            }
        }

        double whole = DatagramProbe.RateMbps(arrivals);
        double median = DatagramProbe.Median(windows);
        output.WriteLine(FormattableString.Invariant(
            $"{mbps} Mbit/s: whole {whole:0.000} ({(whole / mbps - 1) * 100:+0.000;-0.000} %), median of {windows.Count} windows {median:0.000}, {windows.Min():0.0} to {windows.Max():0.0}"));
        median.ShouldBeInRange(mbps * (1 - RateTolerance), mbps * (1 + RateTolerance));
        whole.ShouldBeLessThan(mbps * (1 + RateTolerance));
    }

    private void Report(string what, double[] errors) => output.WriteLine(FormattableString.Invariant(
        $"{what}: error of the delay in ms: median {DatagramProbe.Median(errors):+0.000;-0.000}, 5 % {DatagramProbe.Percentile(errors, 0.05):+0.000;-0.000}, 95 % {DatagramProbe.Percentile(errors, 0.95):+0.000;-0.000}, 99 % {DatagramProbe.Percentile(errors, 0.99):+0.000;-0.000}, of {errors.Length} packets"));
}
