using System.Net;
using Aggregator.Doctor;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Doctor;
using Aggregator.Gateway.Doctor.Checks;
using Aggregator.Gateway.Doctor.Probes;
using Aggregator.Gateway.Links;
using Aggregator.Gateway.Speed;
using Aggregator.Protocol.V1;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Doctor;

/// <summary>The judgements about links, the way to the VPS, and the VPS.</summary>
public sealed class PathCheckTests
{
    private static readonly Link Dsl = Some.Link("dsl", "10.0.0.2");

    [Fact]
    public void The_mtu_search_finds_every_mtu_in_few_rounds() => Prop.ForAll(
        Gen.Choose(576, 1500).ToArbitrary(),
        Gen.Choose(1280, 9000).ToArbitrary(),
        (real, greatest) =>
        {
            int rounds = 0;
            int found = MtuProbe.SearchAsync(
                576,
                greatest,
                (sizes, _) =>
                {
                    rounds++;
                    sizes.ShouldBe(sizes.Order());
                    return Task.FromResult(sizes.Where(s => s <= real).DefaultIfEmpty(0).Max());
                },
                default).GetAwaiter().GetResult();
            return found == Math.Min(real, greatest) && rounds <= 5;
        }).QuickCheckThrowOnFailure();

    [Fact]
    public async Task A_path_that_answers_nothing_has_no_mtu() =>
        (await MtuProbe.SearchAsync(576, 1500, (_, _) => Task.FromResult(0), default)).ShouldBe(0);

    [Theory]
    [InlineData(1500, 1500, CheckResult.Ok, "1500")]
    [InlineData(1492, 1492, CheckResult.Ok, "1492")]
    [InlineData(1500, 1492, CheckResult.Warn, "longer packets do not get through")]
    [InlineData(1500, 1400, CheckResult.Warn, "MTU 1400: longer packets do not get through")]
    [InlineData(1400, 1400, CheckResult.Warn, "MTU 1400, less than")]
    [InlineData(1500, 0, CheckResult.Skip, "no ICMP echo")]
    [InlineData(1500, null, CheckResult.Skip, "may not send")]
    public void A_small_mtu_is_named(int own, int? path, object result, string text)
    {
        var finding = MtuCheck.Decide(Dsl, own, path);
        finding.Result.ShouldBe((CheckResult)result);
        finding.Text.ShouldContain(text);
    }

    [Theory]
    [InlineData(0, CheckResult.Ok)]
    [InlineData(3, CheckResult.Ok)]
    [InlineData(4, CheckResult.Warn)]
    [InlineData(20, CheckResult.Warn)]
    [InlineData(50, CheckResult.Fail)]
    [InlineData(1000, CheckResult.Skip)]
    public void Loss_is_told_by_its_share(int lost, object result)
    {
        TimeSpan?[] back = [.. Enumerable.Range(0, 1000).Select(i => i < lost ? (TimeSpan?)null : TimeSpan.FromMilliseconds(10 + (i % 2)))];
        LossCheck.Decide(Dsl, LossTrain.Summarise(back)).Result.ShouldBe((CheckResult)result);
    }

    [Fact]
    public void Jitter_is_the_mean_difference_of_neighbours()
    {
        var train = LossTrain.Summarise([TimeSpan.FromMilliseconds(10), null, TimeSpan.FromMilliseconds(14), TimeSpan.FromMilliseconds(12)]);
        train.ShouldBe(new TrainResult(4, 3, 12, 3));
        LossTrain.Summarise([null]).ShouldBe(new TrainResult(1, 0, null, null));
    }

    [Fact]
    public void Each_nat_is_told_for_what_it_is()
    {
        var local = IPEndPoint.Parse("10.0.0.2:4000");
        var plain = Some.View("10.0.0.2:5000", "10.0.0.2:5000");
        var behind = Some.View("10.0.0.2:5000", "203.0.113.9:5000");
        NatView Udp(string? first, string? second, bool? other) => new(local, first is null ? null : IPEndPoint.Parse(first), second is null ? null : IPEndPoint.Parse(second), other);

        NatCheck.Decide("dsl", plain, Udp("10.0.0.2:4000", "10.0.0.2:4000", true), null).Text.ShouldStartWith("dsl: no NAT");
        var restricted = NatCheck.Decide("dsl", behind, Udp("203.0.113.9:4000", "203.0.113.9:4000", false), null);
        restricted.Result.ShouldBe(CheckResult.Ok);
        restricted.Text.ShouldContain("port-restricted NAT to 203.0.113.9, port kept");
        NatCheck.Decide("dsl", behind, Udp("203.0.113.9:4711", "203.0.113.9:4711", true), null).Text.ShouldContain("dsl: NAT to 203.0.113.9, port changed");
        var symmetric = NatCheck.Decide("dsl", behind, Udp("203.0.113.9:4711", "203.0.113.9:4712", false), null);
        symmetric.Result.ShouldBe(CheckResult.Warn);
        symmetric.Text.ShouldContain("symmetric NAT");
        // No answers: nothing is claimed about the type.
        NatCheck.Decide("dsl", behind, Udp(null, null, null), null).ShouldSatisfyAllConditions(
            f => f.Result.ShouldBe(CheckResult.Skip), f => f.Text.ShouldContain("its type is not known"));
        NatCheck.Decide("dsl", behind, Udp("203.0.113.9:4000", null, false), null).Result.ShouldBe(CheckResult.Skip);
        NatCheck.Decide("dsl", plain, null, "the VPS is too old").Text.ShouldContain("no address translation");
        NatCheck.Decide("lte", Some.View("100.64.3.2:5000", "203.0.113.9:80"), null, "x").Text.ShouldContain("carrier-grade");
    }

    [Theory]
    [InlineData("198.51.100.2:4000", "198.51.100.2:4000", "10.2.0.1:7", false, false, "Ok", "endpoint-independent mapping (198.51.100.2:4000 from fibre and from dsl), port kept; address- and port-dependent filtering")]
    [InlineData("198.51.100.2:4000", "198.51.100.2:4000", "10.2.0.1:7", true, true, "Ok", "port kept; endpoint-independent filtering")]
    [InlineData("198.51.100.2:4000", "198.51.100.2:4000", "10.2.0.1:7", false, true, "Ok", "; address-dependent filtering")]
    [InlineData("198.51.100.2:5000", "198.51.100.2:5000", "10.1.0.1:8", null, true, "Ok", "endpoint-independent or address-dependent, port changed; endpoint-independent or address-dependent filtering")]
    [InlineData("198.51.100.2:4000", "198.51.100.2:4001", "10.2.0.1:7", null, null, "Warn", "symmetric NAT: seen as 198.51.100.2:4000 from fibre and as 198.51.100.2:4001 from dsl")]
    [InlineData("198.51.100.2:4000", null, "10.2.0.1:7", null, null, "Ok", "mapping not known (one witness only was reached), port kept; filtering not known")]
    [InlineData(null, null, "10.2.0.1:7", null, null, "Skip", "not known: what is sent through the VPS to fibre (10.1.0.1) and dsl (10.2.0.1) does not arrive")]
    public void The_translation_at_the_vps_is_told_as_measured(string? first, string? second, string other, bool? otherAddress, bool? otherPort, string result, string text)
    {
        static IPEndPoint? Read(string? text) => text is null ? null : IPEndPoint.Parse(text);
        var finding = VpsNatCheck.Decide(
            new VpsNatView(IPEndPoint.Parse("100.127.166.1:4000"), [("fibre", IPEndPoint.Parse("10.1.0.1:7"), Read(first)), ("dsl", IPEndPoint.Parse(other), Read(second))], otherAddress, otherPort),
            "ports kept");
        finding.Result.ToString().ShouldBe(result);
        finding.Text.ShouldContain(text);
        VpsNatCheck.Decide(null, "ports kept").ShouldSatisfyAllConditions(f => f.Result.ShouldBe(CheckResult.Skip), f => f.Text.ShouldContain("the VPS says: ports kept"));
    }

    [Fact]
    public void A_portal_is_what_answers_in_the_place_of_the_vps()
    {
        var silence = new PortalView(null, "connection refused");
        var login = new PortalView(new HttpAnswer(302, "http://login.test/"), null);
        var page = new PortalView(new HttpAnswer(200, ""), null);
        var own = new HttpAnswer(301, "https://vps.test/");
        CaptivePortalCheck.Decide("wifi", silence, false, null).Result.ShouldBe(CheckResult.Ok);
        CaptivePortalCheck.Decide("wifi", login, true, null).Result.ShouldBe(CheckResult.Fail);
        CaptivePortalCheck.Decide("wifi", page, true, null).Result.ShouldBe(CheckResult.Fail);
        CaptivePortalCheck.Decide("wifi", page, true, own).Result.ShouldBe(CheckResult.Fail);
        CaptivePortalCheck.Decide("wifi", new PortalView(own, null), true, own).Result.ShouldBe(CheckResult.Ok);
        // The VPS cannot be asked: a redirect is one, a page may be the VPS's own.
        CaptivePortalCheck.Decide("wifi", login, false, null).Result.ShouldBe(CheckResult.Fail);
        CaptivePortalCheck.Decide("wifi", page, false, null).Result.ShouldBe(CheckResult.Skip);
        CaptivePortalCheck.DecideUrl("wifi", new PortalView(new HttpAnswer(204, ""), null)).Result.ShouldBe(CheckResult.Ok);
        CaptivePortalCheck.DecideUrl("wifi", page).Result.ShouldBe(CheckResult.Fail);
        CaptivePortalCheck.DecideUrl("wifi", silence).Result.ShouldBe(CheckResult.Skip);
    }

    [Fact]
    public void Links_are_told_as_the_probes_have_them()
    {
        LinksCheck.Decide(Dsl).Result.ShouldBe(CheckResult.Ok);
        LinksCheck.Decide(Dsl with { State = LinkState.Down, Reason = "no carrier" }).Text.ShouldBe("dsl is down (no carrier)");
        LinksCheck.Decide(Dsl with { State = LinkState.Degraded, Reason = "loses 20 %" }).Result.ShouldBe(CheckResult.Warn);
        LinksCheck.Decide(Dsl with { Role = LinkRole.Off }).Result.ShouldBe(CheckResult.Skip);
    }

    [Theory]
    [InlineData("V1", null, CheckResult.Ok)]
    [InlineData("Stripped", null, CheckResult.Fail)]
    [InlineData("Unsupported", null, CheckResult.Fail)]
    [InlineData("Unknown", "v1", CheckResult.Ok)]
    [InlineData("Unknown", "stripped", CheckResult.Fail)]
    [InlineData("Unknown", "unknown", CheckResult.Skip)]
    [InlineData("Unknown", null, CheckResult.Skip)]
    public void Mptcp_is_told_as_both_ends_saw_it_or_else_as_the_connections_show_it(string asked, string? status, object result) =>
        MptcpCheck.Decide(
            new PathVerdict("dsl", Enum.Parse<PathMptcp>(asked), null, "said so"), status is null ? null : new LinkStatus { Name = "dsl", Mptcp = status }, "mptcp")
            .Result.ShouldBe((CheckResult)result);

    [Fact]
    public void Without_mptcp_a_trunk_still_carries() =>
        MptcpCheck.Decide(new PathVerdict("dsl", PathMptcp.Stripped, "join", "joins vanish"), null, "trunk").ShouldSatisfyAllConditions(
            f => f.Result.ShouldBe(CheckResult.Warn), f => f.Text.ShouldBe("dsl: MPTCP is stripped on the way: joins vanish; it carries all the same, without a backup path"));

    [Fact]
    public void The_last_speed_test_of_each_link_is_told_with_its_age()
    {
        var now = new DateTimeOffset(2026, 5, 1, 12, 0, 0, TimeSpan.Zero);
        var speeds = LinkSpeed.Last(
            [
                new SpeedHistoryEntry("2026-05-01T10:00:00Z", [new("dsl", 40, 8, 20, 0, null), new("lte", 9, 3, 60, 0, null)], null, null),
                new SpeedHistoryEntry("2026-05-01T11:50:00Z", [new("dsl", 48, 9, 20, 0, null), new("lte", null, null, null, null, "it died")], null, null),
                new SpeedHistoryEntry("2026-05-01T13:00:00Z", [new("fibre", 190, null, null, 0, null)], null, null),
            ],
            now);
        speeds["dsl"].ShouldBe(new LinkSpeed(48, 9, 20, TimeSpan.FromMinutes(10)));
        speeds["lte"].Age.ShouldBe(TimeSpan.FromHours(2));
        speeds["fibre"].Age.ShouldBe(TimeSpan.Zero);
        SpeedCheck.Told("dsl", speeds["dsl"]).ShouldBe(Finding.Ok("dsl: 48 Mbit/s down, 9 Mbit/s up, round trip 20 ms idle (speed test 10 min ago)"));
    }

    [Fact]
    public void A_link_that_is_idle_in_a_busy_minute_is_named()
    {
        var links = new LinkSnapshot { Links = [Dsl, Some.Link("lte"), Some.Link("spare", role: LinkRole.Backup)] };
        var finding = TrafficSplitCheck.Decide(links, Some.Traffic(("dsl", 90_000_000, 10_000_000), ("lte", 1000, 1000), ("spare", 0, 0)));
        finding.Result.ShouldBe(CheckResult.Warn);
        finding.Text.ShouldStartWith("lte carried next to nothing");
        finding.Text.ShouldContain("received 90 MB (dsl 100 %, lte 0 %, spare 0 %)");
        TrafficSplitCheck.Decide(links, Some.Traffic(("dsl", 900_000, 0), ("lte", 100, 0))).Result.ShouldBe(CheckResult.Ok);
        TrafficSplitCheck.Decide(links, Some.Traffic(("dsl", 60_000_000, 0), ("lte", 40_000_000, 0))).Result.ShouldBe(CheckResult.Ok);
        TrafficSplitCheck.Decide(links, Some.Traffic()).Result.ShouldBe(CheckResult.Skip);
    }

    [Fact]
    public void Clocks_are_compared_by_the_shortest_round_trip()
    {
        PathAnswer Of(double roundTripMs, double aheadMs) => new(Some.View("10.0.0.2:1", "10.0.0.2:1", roundTripMs, aheadMs), null);
        ClockCheck.Decide([Of(20, 3), Of(4000, 100_000)]).Result.ShouldBe(CheckResult.Ok);
        ClockCheck.Decide([Of(20, 5000)]).Text.ShouldBe("this clock is 5 s behind the VPS's");
        ClockCheck.Decide([Of(20, -5000)]).Text.ShouldContain("ahead of");
        ClockCheck.Decide([Of(8000, 5000)]).Result.ShouldBe(CheckResult.Ok);
        ClockCheck.Decide([new PathAnswer(null, "no answer")]).Result.ShouldBe(CheckResult.Skip);
    }

    [Fact]
    public void Versions_that_differ_are_told()
    {
        VersionsCheck.Decide("1.1", "1.1", false).Result.ShouldBe(CheckResult.Ok);
        VersionsCheck.Decide("1.1", "1.0", false).Result.ShouldBe(CheckResult.Warn);
        VersionsCheck.Decide("1.1", "1.0", true).Text.ShouldContain("too old");
        VersionsCheck.Decide("1.1", null, false).Result.ShouldBe(CheckResult.Skip);
    }

    [Fact]
    public void A_vps_that_is_away_is_told_with_its_last_word()
    {
        VpsCheck.Decide("vps.test:7443", Some.Daemon("connected")).Result.ShouldBe(CheckResult.Ok);
        VpsCheck.Decide("vps.test:7443", Some.Daemon("unreachable", TimeSpan.FromMinutes(5))).Text.ShouldContain("it last answered 5 min ago");
        VpsCheck.Decide("vps.test:7443", Some.Daemon("unreachable")).Text.ShouldContain("has not answered since the daemon started");
    }

    [Fact]
    public void A_measured_link_is_told_with_its_queue()
    {
        var link = new SpeedLink { Name = "dsl", DownMbps = 47.1, UpMbps = 9.4, RttIdleMs = 20, RttLoadedDownMs = 120, RttLoadedUpMs = 90 };
        SpeedCheck.Decide(link).ShouldBe(Finding.Ok("dsl: 47 Mbit/s down, 9.4 Mbit/s up, round trip 20 ms idle, +100 ms and +70 ms under load"));
        link.RttLoadedUpMs = 1500;
        SpeedCheck.Decide(link).Text.ShouldEndWith("bufferbloat");
        SpeedCheck.Decide(new SpeedLink { Name = "dsl", Error = "it died" }).Result.ShouldBe(CheckResult.Warn);
        SpeedCheck.Decide(new SpeedLink { Name = "dsl", UpMbps = 1 }).Text.ShouldBe("dsl: not known down, 1 Mbit/s up");
    }

    [Fact]
    public void Quick_tests_end_in_time()
    {
        for (int links = 1; links <= SpeedCheck.MostLinks; links++)
        {
            (2 * links * (SpeedCheck.DurationFor(links) + TimeSpan.FromSeconds(0.9))).ShouldBeLessThan(new SpeedCheck().Limit);
        }
    }

    [Fact]
    public void The_vpss_own_findings_are_told_by_their_level()
    {
        VpsHealthCheck.Decide(null).Result.ShouldBe(CheckResult.Skip);
        var health = new VpsHealth { Level = "ok", Memory = new MemoryHealth { TotalBytes = 2_000_000_000, AvailableBytes = 1_500_000_000 }, Swap = new SwapHealth { TotalBytes = 0, UsedBytes = 0 } };
        VpsHealthCheck.Decide(health).ShouldBe(Finding.Ok("1.5 GB of 2 GB memory available, no swap"));
        health.Findings.Add(new HealthFinding { Code = "a", Level = "warn", Text = "little memory", Remedy = "rent more" });
        VpsHealthCheck.Decide(health).ShouldSatisfyAllConditions(f => f.Result.ShouldBe(CheckResult.Warn), f => f.Remedy.ShouldBe("rent more"));
        health.Findings.Add(new HealthFinding { Code = "b", Level = "critical", Text = "it swaps", Remedy = "add memory" });
        VpsHealthCheck.Decide(health).ShouldSatisfyAllConditions(f => f.Result.ShouldBe(CheckResult.Fail), f => f.Text.ShouldStartWith("it swaps"));
    }
}
