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

    private static string Of(SpeedResult result) => Verdict.Of(new VerdictInput(result));

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
        Verdict.Of(new VerdictInput(Result(150), LimitedDown: (0.6, 0.1))).ShouldStartWith("The receive window of the gateway is the limit (60 % of the time)");
        Verdict.Of(new VerdictInput(Result(150), LimitedDown: (0.1, 0.5))).ShouldStartWith("The send buffer of the VPS is the limit (50 % of the time)");
        Verdict.Of(new VerdictInput(Result(150), LimitedUp: (0.9, 0))).ShouldStartWith("The trunk carrier is the limit");
    }

    [Fact]
    public void A_link_that_lowers_the_total_is_named_with_both_figures() =>
        Of(Result(150, r => r.Bonded.Without = new SpeedWithout { Link = "lte", Direction = "down", WithMbps = 150, WithoutMbps = 190 }))
            .ShouldBe("lte lowers the total: 150 Mbit/s down with it, 190 without it.");

    [Fact]
    public void Stripping_memory_shaping_and_loss_are_said()
    {
        Of(Result(200, r => (r.Links[1].Mptcp, r.Links[1].MptcpWhere) = ("stripped", "syn")))
            .ShouldBe("MPTCP is stripped on lte, so it adds little to the other links: together 200 of 270 Mbit/s down (74 %).");
        Of(Result(change: r => (r.Links[1].Mptcp, r.Links[1].MptcpWhere) = ("stripped", "syn"))).ShouldEndWith("; MPTCP is stripped on lte (syn).");
        Verdict.Of(new VerdictInput(Result(150), VpsMemory: "it swaps")).ShouldStartWith("The VPS is short of memory (it swaps)");
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
