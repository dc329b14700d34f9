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
        LinkHealth.PathOf(Lte, [V6, V4]).ShouldBe(new ProbePath("wan2", 4, IPAddress.Parse("10.2.0.2"), V4));
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
