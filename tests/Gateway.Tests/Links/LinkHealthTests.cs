using System.Net;
using System.Net.Sockets;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Links;
using Aggregator.Gateway.Tests.Policy;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Links;

public sealed class LinkHealthTests
{
    private static readonly IPEndPoint V4 = new(IPAddress.Parse("192.0.2.1"), 7443);
    private static readonly IPEndPoint V6 = new(IPAddress.Parse("2001:db8::1"), 7443);
    private static readonly Link Fibre = Home.Links().Links[0];
    private static readonly Link Lte = Home.Links().Links[1];

    [Fact]
    public void The_first_target_whose_family_the_link_has_is_probed()
    {
        LinkHealth.PathOf(Fibre, [V6, V4])!.Target.ShouldBe(V6);
        LinkHealth.PathOf(Lte, [V6, V4]).ShouldBe(new ProbePath("wan2", 4, IPAddress.Parse("10.2.0.2"), V4, IPAddress.Parse("10.2.0.1")));
        LinkHealth.PathOf(Lte, [V6]).ShouldBeNull();
        LinkHealth.PathOf(Fibre with { Role = LinkRole.Off }, [V4]).ShouldBeNull();
        LinkHealth.PathOf(Fibre with { Carrier = false }, [V4]).ShouldBeNull();
    }

    [Fact]
    public void What_the_host_shows_comes_before_what_probes_say()
    {
        var up = new PathHealth(LinkState.Up, null, 12.5, 0, false);

        LinkHealth.Join(Fibre, [V4], up).ShouldSatisfyAllConditions(l => l.State.ShouldBe(LinkState.Up), l => l.RttMs.ShouldBe(12.5));
        LinkHealth.Join(Fibre, [V4], null).ShouldSatisfyAllConditions(l => l.State.ShouldBe(LinkState.Up), l => l.Checking.ShouldBeTrue());
        LinkHealth.Join(Fibre with { Reason = "no carrier" }, [V4], up).ShouldSatisfyAllConditions(l => l.State.ShouldBe(LinkState.Down), l => l.Reason.ShouldBe("no carrier"));
        LinkHealth.Join(Lte, [V6], null).Reason.ShouldBe("it has no address of the VPS's family");
        LinkHealth.Join(Fibre with { V4 = null, V6 = null }, [V4], up).Reason.ShouldBe("no gateway is known");
        LinkHealth.Join(Fibre, [], null).State.ShouldBe(LinkState.Up);
    }

    [Fact]
    public void A_link_that_comes_and_goes_is_used_only_where_nothing_else_works()
    {
        Link good = Fibre with { State = LinkState.Up, LineAlive = true };
        Link held = Lte with { State = LinkState.Up, LineAlive = true, HeldFor = TimeSpan.FromSeconds(4) };

        LinkHealth.Settle([good, held])[1].ShouldSatisfyAllConditions(
            l => l.State.ShouldBe(LinkState.Down), l => l.Reason.ShouldBe("it comes and goes; it is used when it has held for 4 s"));
        LinkHealth.Settle([good with { State = LinkState.Down }, held])[1].ShouldSatisfyAllConditions(
            l => l.State.ShouldBe(LinkState.Degraded), l => l.Reason.ShouldBe("it comes and goes; there is no other link"));
        LinkHealth.Settle([good with { Role = LinkRole.Off }, held])[1].State.ShouldBe(LinkState.Degraded);
    }

    [Fact]
    public void The_line_is_told_from_the_vps()
    {
        var down = new PathHealth(LinkState.Down, "no answer from the VPS", null, 1, false);
        LinkHealth.Join(Fibre, [V4], down with { OtherAnswers = "icmp://9.9.9.9" }).ShouldSatisfyAllConditions(
            l => l.State.ShouldBe(LinkState.Down), l => l.LineAlive.ShouldBe(true), l => l.Reason.ShouldBe("no answer from the VPS; icmp://9.9.9.9 answers"));
        Link deaf = LinkHealth.Join(Fibre, [V4], down with { NextHopAnswers = true });
        deaf.LineAlive.ShouldBe(false);

        // With the VPS reached over another link it is the line that is dead; with nobody reaching it, the VPS.
        LinkHealth.Settle([deaf, Lte with { State = LinkState.Up }])[0].LineAlive.ShouldBe(false);
        LinkHealth.Settle([deaf, Lte with { State = LinkState.Down }])[0].ShouldSatisfyAllConditions(
            l => l.LineAlive.ShouldBe(true), l => l.Reason.ShouldBe("no answer from the VPS over any link; its gateway answers"));
    }

    [Fact]
    public void Counters_are_read_by_name()
    {
        const string Text = """
            Inter-|   Receive                                                |  Transmit
             face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
                lo:     100       1    0    0    0     0          0         0      200       2    0    0    0     0       0          0
              wan1: 18446744073709551615 5    0    0    0     0          0         0     4711       6    0    0    0     0       0          0
            eth0:1: 7 1 0 0 0 0 0 0 8 1 0 0 0 0 0 0
            """;

        InterfaceCounters.Parse(Text, "wan1").ShouldBe(new InterfaceCounters(ulong.MaxValue, 4711));
        InterfaceCounters.Parse(Text, "eth0:1").ShouldBe(new InterfaceCounters(7, 8));
        InterfaceCounters.Parse(Text, "wan").ShouldBeNull();
    }
}
