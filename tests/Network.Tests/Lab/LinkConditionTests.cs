using System.Diagnostics;
using Aggregator.Lab.Emulation;
using Aggregator.Lab.Topology;
using Shouldly;
using Xunit;

namespace Aggregator.Network.Tests.Lab;

/// <summary>Loss, queue, black hole, carrier, removal, jitter: what a line does to packets beside carrying them.</summary>
[Collection(ExclusiveCpuCollection.Name)]
public sealed class LinkConditionTests
{
    private static readonly TimeSpan Quiet = TimeSpan.FromMilliseconds(300);

    [SkippableTheory]
    [InlineData(0.01)]
    [InlineData(0.2)]
    public async Task The_share_lost_is_the_loss_ratio(double ratio)
    {
        const int Packets = 20_000;
        await using var lab = await LabTest.CreateAsync(
            new WanSpec("a") { Down = new LinkSettings { RateMbps = 200, LossRatio = ratio }, Up = new LinkSettings { RateMbps = 200 } });
        using var probe = Down(lab);

        // Until the routers know each other's MAC addresses, for which they ask once a second, the kernel drops too.
        await LabTest.UntilAsync(
            () =>
            {
                probe.SendOne();
                return probe.ReceivedCount > 0;
            },
            "the first packet comes through",
            TimeSpan.FromSeconds(20));
        int first = probe.SentCount;
        while (probe.SentCount - first < Packets)
        {
            probe.Send(100, TimeSpan.FromMilliseconds(100));
        }

        int sent = probe.SentCount - first;
        double lost = 1 - ((double)probe.Finish(Quiet, (int)(sent * (1 - ratio - 0.01))).Count(a => a.Number >= first) / sent);

        // Six standard deviations of the binomial distribution: wrong once in 500 million runs.
        double tolerance = 6 * Math.Sqrt(ratio * (1 - ratio) / sent);
        lost.ShouldBeInRange(ratio - tolerance, ratio + tolerance);
        var counters = lab.Wans[0].Down.Counters;

        // The kernel's first multicast reports may come before the other side is up.
        (counters.PacketsIn - counters.PacketsDelivered - counters.PacketsDroppedByOutage).ShouldBe(counters.PacketsDroppedByLoss);
        lab.Wans[0].Up.Counters.PacketsDroppedByLoss.ShouldBe(0);
    }

    [SkippableFact]
    public async Task The_queue_holds_its_bytes_and_no_more()
    {
        const int QueueBytes = 100_000;
        const double Mbps = 10;
        await using var lab = await LabTest.CreateAsync(new WanSpec("a") { DownMbps = Mbps, UpMbps = Mbps, QueueBytes = QueueBytes });
        using var probe = Down(lab);
        probe.SendOne();
        probe.Finish(Quiet, 1).Length.ShouldBe(1);
        for (int i = 0; i < 300; i++)
        {
            probe.SendOne();
        }

        var arrivals = probe.Finish(Quiet);
        var counters = lab.Wans[0].Down.Counters;
        int most = QueueBytes / DatagramProbe.IpBytes;

        // While all 300 come the line takes a few packets more.
        int meanwhile = (int)((probe.Sent[^1] - probe.Sent[1]) / 1e9 * Mbps * 1e6 / (DatagramProbe.IpBytes * 8)) + 2;
        (arrivals.Length - 1).ShouldBeInRange(most, most + meanwhile);
        counters.PacketsDroppedByQueue.ShouldBe(probe.SentCount - arrivals.Length);
        counters.QueueBytesPeak.ShouldBeInRange(QueueBytes - DatagramProbe.IpBytes, QueueBytes);
        counters.QueueBytesNow.ShouldBe(0);

        // A full queue takes its bytes at the rate: 80 ms.
        double fullMs = most * DatagramProbe.IpBytes * 8 / (Mbps * 1e6) * 1e3;
        DatagramProbe.Percentile(arrivals.Select(a => a.DelayMs), 0.97).ShouldBeInRange(fullMs * 0.9, fullMs + 3);

        // Tail drop: the first ones sent are those that came.
        arrivals.Take(most).Select(a => a.Number).ShouldBe(Enumerable.Range(0, most));
    }

    [SkippableFact]
    public async Task A_black_hole_swallows_silently_in_its_direction_and_ends()
    {
        await using var lab = await LabTest.CreateAsync(new WanSpec("a") { DownMbps = 100, UpMbps = 100, DelayMs = 50 });
        using var down = Down(lab);
        using var up = new DatagramProbe(lab.Gateway, lab.Vps, LabAddresses.Vps, lab.Wans[0].Address);
        down.SendOne();
        up.SendOne();
        down.Finish(Quiet, 1).Length.ShouldBe(1);
        up.Finish(Quiet, 1).Length.ShouldBe(1);

        lab.Wans[0].Down.BlackHole = true;
        lab.Wans[0].BlackHole.ShouldBeFalse("only one direction is");
        down.SendOne();
        up.SendOne();
        up.Finish(Quiet, 2).Length.ShouldBe(2);
        down.Finish(Quiet, 1).Length.ShouldBe(1);
        lab.Wans[0].Down.Counters.PacketsDroppedByOutage.ShouldBeGreaterThan(0);
        (await lab.Gateway.OutputAsync("ip", "-br", "link", "show", "wan1")).ShouldContain("LOWER_UP", Case.Sensitive, "a black hole tells nobody");

        lab.Wans[0].BlackHole = true;
        up.SendOne();
        up.Finish(Quiet, 2).Length.ShouldBe(2);

        lab.Wans[0].BlackHole = false;
        down.SendOne();
        up.SendOne();
        down.Finish(Quiet, 2).Length.ShouldBe(2);
        up.Finish(Quiet, 3).Length.ShouldBe(3);
    }

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Without_carrier_the_interface_says_so_and_nothing_passes(bool unshaped)
    {
        await using var lab = await LabTest.CreateAsync(Line(unshaped));
        string before = await AddressesAndRoutesAsync(lab);
        await ReachesAsync(lab, true);

        await lab.Wans[0].CarrierAsync(false);
        (await lab.Gateway.OutputAsync("ip", "-o", "link", "show", "wan1")).ShouldNotContain("LOWER_UP");
        await ReachesAsync(lab, false);

        await lab.Wans[0].CarrierAsync(true);
        await ReachesAsync(lab, true);
        (await AddressesAndRoutesAsync(lab)).ShouldBe(before);
    }

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_removed_interface_comes_back_as_it_was(bool unshaped)
    {
        await using var lab = await LabTest.CreateAsync(Line(unshaped));
        string before = await AddressesAndRoutesAsync(lab);
        await ReachesAsync(lab, true);

        await lab.Wans[0].RemoveAsync();
        (await lab.Gateway.OutputAsync("ip", "-br", "link")).ShouldNotContain("wan1");
        (await lab.Gateway.OutputAsync("ip", "route")).ShouldNotContain("wan1");
        await ReachesAsync(lab, false);

        await lab.Wans[0].RestoreAsync();
        await ReachesAsync(lab, true);
        (await AddressesAndRoutesAsync(lab)).ShouldBe(before);

        await lab.Wans[0].RemoveAsync();
        await lab.Wans[0].RestoreAsync();
        await ReachesAsync(lab, true);
    }

    [SkippableFact]
    public async Task Jitter_bends_the_delay_within_its_bounds_and_keeps_the_order()
    {
        await using var lab = await LabTest.CreateAsync(new WanSpec("a") { DownMbps = 100, UpMbps = 100, DelayMs = 30, JitterMs = 10 });
        using var probe = Down(lab);
        probe.SendOne();
        probe.Finish(Quiet, 1).Length.ShouldBe(1);
        probe.Send(20, TimeSpan.FromSeconds(3));
        var arrivals = probe.Finish(Quiet)[1..];

        arrivals.Select(a => a.Number).ShouldBe(arrivals.Select(a => a.Number).Order());
        double[] delays = [.. arrivals.Select(a => a.DelayMs)];
        DatagramProbe.Percentile(delays, 0.01).ShouldBeInRange(19, 26);
        DatagramProbe.Percentile(delays, 0.99).ShouldBeInRange(34, 43);
        delays.Average().ShouldBeInRange(26, 34);
    }

    [SkippableFact]
    public async Task Packets_longer_than_the_direction_takes_vanish()
    {
        await using var lab = await LabTest.CreateAsync(
            new WanSpec("a") { Down = new LinkSettings { MtuBytes = DatagramProbe.IpBytes - 1 }, Up = new LinkSettings { MtuBytes = DatagramProbe.IpBytes } });
        using var down = Down(lab);
        using var up = new DatagramProbe(lab.Gateway, lab.Vps, LabAddresses.Vps, lab.Wans[0].Address);
        down.SendOne();
        up.SendOne();
        down.Finish(Quiet).ShouldBeEmpty();
        up.Finish(Quiet, 1).Length.ShouldBe(1);
        lab.Wans[0].Down.Counters.PacketsDroppedByMtu.ShouldBe(1);
    }

    [SkippableFact]
    public async Task Both_families_reach_every_host()
    {
        await using var lab = await LabTest.CreateAsync(new LabSpec
        {
            Wans = [new WanSpec("shaped") { DownMbps = 50, UpMbps = 10, DelayMs = 1 }, new WanSpec("plain") { Unshaped = true }, new WanSpec("six") { IPv4 = false }],
            GatewayMasquerade = true,
        });
        foreach (var wan in lab.Wans)
        {
            if (wan.Address is { } v4)
            {
                Reaches(lab.Gateway, lab.Vps, LabAddresses.Vps, v4).ShouldBeTrue(wan.Name);
                Reaches(lab.Gateway, lab.Internet, LabAddresses.Internet, v4).ShouldBeTrue(wan.Name);
                Reaches(lab.Internet, lab.Gateway, v4, LabAddresses.Internet).ShouldBeTrue(wan.Name);
            }

            Reaches(lab.Gateway, lab.Vps, LabAddresses.VpsV6, wan.AddressV6!).ShouldBeTrue(wan.Name);
            Reaches(lab.Vps, lab.Gateway, wan.AddressV6!, LabAddresses.VpsV6).ShouldBeTrue(wan.Name);
        }

        Reaches(lab.Vps, lab.Internet, LabAddresses.Internet, LabAddresses.Vps).ShouldBeTrue();
        Reaches(lab.Client, lab.Gateway, LabAddresses.LanGatewayV6, LabAddresses.ClientV6).ShouldBeTrue();
        Reaches(lab.Client, lab.Internet, LabAddresses.Internet, LabAddresses.Client).ShouldBeTrue("through the masquerading gateway");
    }

    private static WanSpec Line(bool unshaped) => unshaped ? new WanSpec("a") { Unshaped = true } : new WanSpec("a") { DownMbps = 100, UpMbps = 100, DelayMs = 2 };

    private static DatagramProbe Down(NetworkLab lab) => new(lab.Vps, lab.Gateway, lab.Wans[0].Address!);

    private static bool Reaches(LabHost from, LabHost to, System.Net.IPAddress target, System.Net.IPAddress source)
    {
        using var probe = new DatagramProbe(from, to, target, source);
        probe.SendOne();
        return probe.Finish(TimeSpan.Zero, 1).Length == 1;
    }

    /// <summary>Tries again: the router's worker notices a carrier in its own time, and neighbours are asked for once a second.</summary>
    private static async Task ReachesAsync(NetworkLab lab, bool expected)
    {
        using var probe = Down(lab);
        var limit = Stopwatch.StartNew();
        bool reached = false;
        while (limit.Elapsed < TimeSpan.FromSeconds(expected ? 5 : 0.5) && !reached)
        {
            probe.SendOne();
            await Task.Delay(TimeSpan.FromMilliseconds(50));
            reached = probe.ReceivedCount > 0;
        }

        reached.ShouldBe(expected);
    }

    private static async Task<string> AddressesAndRoutesAsync(NetworkLab lab) =>
        (await lab.Gateway.OutputAsync("ip", "-br", "address", "show", "dev", "wan1")).Split(' ', 2)[1]
        + await lab.Gateway.OutputAsync("ip", "route", "show", "dev", "wan1")
        + await lab.Gateway.OutputAsync("ip", "-6", "route", "show", "default");
}
