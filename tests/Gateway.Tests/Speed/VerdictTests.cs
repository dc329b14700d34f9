using Aggregator.Gateway.Speed;
using Aggregator.Protocol.V1;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Speed;

/// <summary>The bottleneck's name, from figures in which there is one.</summary>
public sealed class VerdictTests
{
    private static SpeedResult Result(double together = 255, Action<SpeedResult>? change = null)
    {
        var result = new SpeedResult
        {
            Links =
            {
                new SpeedLink { Name = "fibre", DownMbps = 200, UpMbps = 20, Mptcp = "v1" },
                new SpeedLink { Name = "lte", DownMbps = 70, UpMbps = 10, Mptcp = "v1" },
            },
            Bonded = new SpeedBonded { Carrier = "trunk", DownMbps = together, SumDownMbps = 270, EfficiencyDown = together / 270, UpMbps = 29, SumUpMbps = 30, EfficiencyUp = 29.0 / 30 },
            Gateway = new SpeedHost { CpuRatio = 0.3, CpuBusiestRatio = 0.5, ProcessRatio = 0.1 },
            Vps = new SpeedHost { CpuRatio = 0.3, CpuBusiestRatio = 0.5, ProcessRatio = 0.1 },
        };
        change?.Invoke(result);
        return result;
    }

    private static string Of(SpeedResult result, params LoadSigns[] signs) => Verdict.Of(new VerdictInput(result, signs));

    private static LoadSigns Limited(bool down, double receiver, double buffer, string? link = null) => new(link, down, null, null, new SenderTimes(receiver, buffer));

    [Fact]
    public void Full_lines_are_the_limit() =>
        Of(Result()).ShouldBe("The lines are the limit: together they carry 255 of 270 Mbit/s down (94 %), 29 of 30 Mbit/s up (97 %).");

    [Fact]
    public void Processors_are_told_apart()
    {
        Of(Result(150, r => r.Vps.CpuRatio = 0.98)).ShouldBe("The VPS's processor is the limit (98 % busy): together 150 of 270 Mbit/s down (56 %).");
        Of(Result(150, r => r.Gateway.CpuRatio = 0.97)).ShouldStartWith("The gateway's processor is the limit (97 % busy)");
        Of(Result(150, r => (r.Vps.CpuBusiestRatio, r.Vps.ProcessRatio) = (1, 0.48))).ShouldStartWith("The VPS's processor is the limit (100 % busy)");
        // One busy processor that somebody else keeps busy.
        Of(Result(150, r => (r.Vps.CpuBusiestRatio, r.Vps.ProcessRatio) = (1, 0.05))).ShouldStartWith("The trunk carrier is the limit");
    }

    [Fact]
    public void Windows_are_told_by_whose_they_are()
    {
        Of(Result(150), Limited(true, 0.6, 0.1)).ShouldStartWith("The receive window of the gateway is the limit (60 % of the time)");
        Of(Result(150), Limited(true, 0.1, 0.5)).ShouldStartWith("The send buffer of the VPS is the limit (50 % of the time)");
        Of(Result(150), Limited(false, 0.9, 0)).ShouldStartWith("The trunk carrier is the limit");
    }

    [Fact]
    public void What_keeps_single_lines_from_being_full_is_said_of_full_sums()
    {
        SpeedHost few = new() { CpuRatio = 0.4, ProcessRatio = 0.97, LimitCpus = 0.2, ThrottledRatio = 0.9 };
        Of(Result(), new LoadSigns("fibre", true, null, few, new SenderTimes(0, 0, 0.6))).ShouldBe(
            "The VPS's processor is the limit (97 % of the 0.2 processors that its cgroup may use), on fibre down: together they carry 255 of 270 Mbit/s down (94 %), 29 of 30 Mbit/s up (97 %), and the lines may carry more.");
        Of(Result(), new LoadSigns("fibre", false, few, null, null)).ShouldStartWith("The gateway's processor is the limit (97 % of the 0.2 processors that its cgroup may use), on fibre up: ");
        Of(Result(), Limited(true, 0.8, 0, "fibre")).ShouldStartWith("The receive window of the gateway is the limit (80 % of the time), on fibre down: ");
        Of(Result(change: r => r.Bonded = null), Limited(false, 0, 0.7, "lte"))
            .ShouldBe("The send buffer of the gateway is the limit (70 % of the time), on lte up: fibre 200 down 20 up, lte 70 down 10 up Mbit/s, and the lines may carry more.");
        // All of a processor, and a line that is full for all that: there was always something under way.
        // Nothing waits to be sent, nothing on the way: no room. The kernel did not count it.
        Of(Result(), new LoadSigns("fibre", true, null, null, new SenderTimes(0, 0, 0.01, new LineQueue(80, 2)) { UnsentPart = 0.1 })).ShouldStartWith(
            "The send buffer of the VPS is the limit (nothing waits in it, and no queue stands on the way), on fibre down: ");
        Of(Result(), new LoadSigns("fibre", true, null, null, new SenderTimes(0, 0, 0.01, new LineQueue(80, 2)) { UnsentPart = 2 })).ShouldStartWith("The lines are the limit");
        Of(Result(), new LoadSigns("fibre", true, null, null, new SenderTimes(0, 0, 0.01, new LineQueue(80, 20)) { UnsentPart = 0.1 })).ShouldStartWith("The lines are the limit");
        // Where the kernel counts some of it, and the buffer ran empty in between.
        Of(Result(), new LoadSigns("fibre", true, null, null, new SenderTimes(0, 0.41, 0.46, new LineQueue(80, 0.7)) { UnsentPart = 0.27 })).ShouldStartWith(
            "The send buffer of the VPS is the limit");
        Of(Result(), new LoadSigns("fibre", true, null, null, new SenderTimes(0, 0, 0.46, new LineQueue(80, 0.7)) { UnsentPart = 0.27 })).ShouldStartWith("The lines are the limit");
        Of(Result(), new LoadSigns("fibre", true, few, few, new SenderTimes(0.1, 0.2, 0.01, new LineQueue(20, 15)))).ShouldStartWith("The lines are the limit");
        // Without a queue the sender may only think that the line is full.
        Of(Result(), new LoadSigns("fibre", true, null, few, new SenderTimes(0, 0, 0, new LineQueue(80, 3)))).ShouldStartWith("The VPS's processor is the limit");
        // Others who keep the processors busy, beside lines that are full; and a quota that nobody uses.
        Of(Result(), new LoadSigns("fibre", true, new SpeedHost { CpuRatio = 1, CpuBusiestRatio = 1, ProcessRatio = 0.2 }, null, null)).ShouldStartWith("The lines are the limit");
        Of(Result(), new LoadSigns("fibre", true, new SpeedHost { CpuRatio = 0.3, ProcessRatio = 0.3, LimitCpus = 1.5, ThrottledRatio = 0.02 }, null, null)).ShouldStartWith("The lines are the limit");
    }

    [Fact]
    public void Senders_are_judged_by_the_later_half_of_their_time()
    {
        var series = new SenderSeries();
        series.Of(2).ShouldBeNull();
        for (int i = 0; i <= 10; i++)
        {
            // Two connections; in the first second nothing, then half of the time, a quarter of that before a closed window.
            double busy = Math.Max(0, i - 5) * 0.2e6;
            series.Add(new(100 + (i * 0.2), busy, busy / 4, 0, 20, i));
            series.Add(new(99, 1e9, 0, 0));
        }

        var times = series.Of(2).ShouldNotBeNull();
        times.Receiver.ShouldBe(0.25, 0.001);
        times.Buffer.ShouldBe(0);
        times.Starved.ShouldNotBeNull().ShouldBe(0.5, 0.001);
        times.WaitedForTheLine.ShouldBeFalse();
        times.Queue.ShouldBe(new LineQueue(20, 7.5));
        series.Of(1).ShouldNotBeNull().WaitedForTheLine.ShouldBeTrue();
        series.Of(0).ShouldBeNull();
    }

    [Fact]
    public void A_link_that_lowers_the_total_is_named_with_both_figures() =>
        Of(Result(150, r => r.Bonded.Without = new SpeedWithout { Link = "lte", Direction = "down", WithMbps = 150, WithoutMbps = 190 }))
            .ShouldBe("lte lowers the total: 150 Mbit/s down with it, 190 without it.");

    [Fact]
    public void Stripping_memory_shaping_and_loss_are_said()
    {
        Of(Result(200, r => (r.Bonded.Carrier, r.Links[1].Mptcp, r.Links[1].MptcpWhere) = ("mptcp", "stripped", "syn")))
            .ShouldBe("MPTCP is stripped on lte, so it adds little to the other links: together 200 of 270 Mbit/s down (74 %).");
        // A lane goes on over plain TCP.
        Of(Result(200, r => (r.Links[1].Mptcp, r.Links[1].MptcpWhere) = ("stripped", "syn"))).ShouldStartWith("The trunk carrier is the limit");
        Of(Result(change: r => (r.Links[1].Mptcp, r.Links[1].MptcpWhere) = ("stripped", "syn"))).ShouldEndWith("; MPTCP is stripped on lte (syn).");
        Verdict.Of(new VerdictInput(Result(150), [], "it swaps")).ShouldStartWith("The VPS is short of memory (it swaps)");
        Of(Result(change: r => r.Links[0].ShapingDown = new SpeedShaping { BurstMbps = 200, BurstS = 1.5, AfterMbps = 40 }))
            .ShouldContain("; fibre is shaped on the way: 200 Mbit/s down for 1.5 s, then 40");
        Of(Result(change: r => r.Links[1].PacedLossRatio = 0.012)).ShouldEndWith("; lte loses 1.2 % of its packets.");
        Of(Result(change: r => r.Links[1].LossRatio = 1.0 / 60)).ShouldNotContain("loses");
    }

    [Fact]
    public void Without_figures_it_says_why()
    {
        Of(new SpeedResult()).ShouldBe("There is no link to measure.");
        Of(new SpeedResult { Links = { new SpeedLink { Name = "lte", Error = "nothing comes through" } } })
            .ShouldBe("No link could be measured: lte: nothing comes through.");
        Of(new SpeedResult { Links = { new SpeedLink { Name = "lte", DownMbps = 8.25 }, new SpeedLink { Name = "dsl", Error = "gone" } } })
            .ShouldBe("The lines are the limit: lte 8.3 down – up Mbit/s; dsl failed: gone.");
    }
}
