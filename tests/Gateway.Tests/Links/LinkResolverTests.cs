using System.Net;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Links;
using Aggregator.Gateway.Policy;
using Aggregator.Gateway.Tests.Policy;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Links;

public sealed class LinkResolverTests
{
    private static readonly GatewayConfig Found = new() { Lan = ["lan0"] };

    [Fact]
    public void Configured_WANs_with_their_addresses_and_gateways() => Home.Links().ToString().ShouldBe("""
        fibre wan1#3 slot 0 Active [10.1.0.2/24 2001:db8:1::2/64] v4 via 10.1.0.1 v6 via fe80::1 Down
        lte wan2#4 slot 1 Backup [10.2.0.2/24] v4 via 10.2.0.1 v6 - Down
        local 172.20.0.0/16 192.168.77.0/24
        connected 10.1.0.0/24 10.2.0.0/24 192.168.77.0/24 2001:db8:1::/64
        missing 
        """);

    [Fact]
    public void Without_wans_every_interface_with_a_default_route_is_one()
    {
        var (links, memory) = LinkResolver.Resolve(Found, Home.View, LinkMemory.Empty);
        links.Links.Select(l => l.Name).ShouldBe(["wan1", "wan2"]);

        // A LAN interface with a default route of its own is none, and neither are our own tables' routes a sign.
        var view = Home.View with
        {
            Routes = [.. Home.View.Routes.Where(r => r.Interface != 4), new(HostNumbers.FirstTable + 1, IPNetwork.Parse("0.0.0.0/0"), 4, null, 0, HostNumbers.Protocol), new(254, IPNetwork.Parse("0.0.0.0/0"), 2, null, 0, 3)],
        };
        LinkResolver.Resolve(Found, view, LinkMemory.Empty).Snapshot.Links.Select(l => l.Name).ShouldBe(["wan1"]);

        // One that was a WAN stays one while its default route is away.
        LinkResolver.Resolve(Found, view, memory).Snapshot.Links.Select(l => l.Name).ShouldBe(["wan1", "wan2"]);
    }

    [Fact]
    public void The_last_gateway_is_remembered_while_it_is_in_the_network()
    {
        var (_, memory) = LinkResolver.Resolve(Home.Config, Home.View, LinkMemory.Empty);
        var without = Home.View with { Routes = [] };

        var link = LinkResolver.Resolve(Home.Config, without, memory).Snapshot.Links[0];
        link.V4.ShouldBe(new NextHop(IPAddress.Parse("10.1.0.1")));
        link.V6.ShouldBe(new NextHop(IPAddress.Parse("fe80::1")));

        var moved = without with { Addresses = [new(3, IPAddress.Parse("10.9.0.2"), 24)] };
        LinkResolver.Resolve(Home.Config, moved, memory).Snapshot.Links[0].V4.ShouldBeNull();
        LinkResolver.Resolve(Home.Config, without, LinkMemory.Empty).Snapshot.Links[0].V4.ShouldBeNull();
    }

    [Fact]
    public void A_gateway_of_the_configuration_wins_and_a_better_metric_counts()
    {
        var config = Home.Config with { Wans = [new("wan1", "fibre", LinkRole.Active, IPAddress.Parse("10.1.0.99")), new("wan2", "lte", LinkRole.Active, null)] };
        var view = Home.View with
        {
            Routes = [.. Home.View.Routes, new(1000, IPNetwork.Parse("0.0.0.0/0"), 4, IPAddress.Parse("10.2.0.66"), 0, 3), new(254, IPNetwork.Parse("0.0.0.0/0"), 4, IPAddress.Parse("10.2.0.77"), 50, 3)],
        };

        var links = Home.Links(config, view).Links;

        links[0].V4.ShouldBe(new NextHop(IPAddress.Parse("10.1.0.99")));
        links[1].V4.ShouldBe(new NextHop(IPAddress.Parse("10.2.0.77")));
    }

    [Fact]
    public void Slots_stay_with_interfaces_whatever_the_order()
    {
        var (_, memory) = LinkResolver.Resolve(Home.Config, Home.View, LinkMemory.Empty);
        var turned = Home.Config with { Wans = [new("wan9", "new", LinkRole.Active, null), .. Home.Config.Wans!.Value.Reverse()] };

        var links = LinkResolver.Resolve(turned, Home.View, memory).Snapshot.Links;

        links.Select(l => (l.Interface, l.Slot)).ShouldBe([("wan9", 2), ("wan2", 1), ("wan1", 0)]);
        links[0].Present.ShouldBeFalse();
        links[0].Reason.ShouldBe("there is no such interface");
    }

    [Fact]
    public void More_interfaces_over_the_years_than_slots_reuse_those_of_the_gone()
    {
        var memory = LinkMemory.Empty;
        for (int i = 0; i < HostNumbers.MaxWans + 20; i++)
        {
            var config = new GatewayConfig { Wans = [new($"ppp{i}", "line", LinkRole.Active, null)] };
            (var links, memory) = LinkResolver.Resolve(config, new NetworkView([], [], []), memory);
            links.Links.ShouldHaveSingleItem().Slot.ShouldBeLessThan(HostNumbers.MaxWans);
        }

        memory.Slots.Count.ShouldBe(HostNumbers.MaxWans);
    }

    [Fact]
    public void Unusable_and_lesser_addresses()
    {
        var view = Home.View with
        {
            Addresses =
            [
                new(3, IPAddress.Parse("2001:db8:1::dead"), 64, Usable: false),
                new(3, IPAddress.Parse("2001:db8:1::aaaa"), 64, Lesser: true),
                new(3, IPAddress.Parse("2001:db8:1::1"), 64),
                new(3, IPAddress.Parse("10.1.0.2"), 24),
            ],
        };

        Home.Links(view: view).Links[0].Addresses.Select(a => a.Address.ToString()).ShouldBe(["10.1.0.2", "2001:db8:1::1", "2001:db8:1::aaaa"]);
    }

    [Fact]
    public void Point_to_point_needs_no_gateway()
    {
        var view = new NetworkView([new(7, "wan1", true, PointToPoint: true)], [new(7, IPAddress.Parse("100.64.0.9"), 32)], []);

        Home.Links(view: view).Links[0].V4.ShouldBe(new NextHop(null));
    }

    [Fact]
    public void Memory_survives_a_restart_and_a_broken_file_starts_anew()
    {
        string state = Directory.CreateTempSubdirectory("aggregator-links-").FullName;
        try
        {
            var (_, memory) = LinkResolver.Resolve(Home.Config, Home.View, LinkMemory.Empty with { Roles = LinkMemory.Empty.Roles.Add("fibre", "off") });
            memory.Save(state);

            LinkMemory.Load(state, out string? problem).SameAs(memory).ShouldBeTrue();
            problem.ShouldBeNull();

            File.WriteAllText(Path.Combine(state, "links.json"), "{");
            LinkMemory.Load(state, out problem).SameAs(LinkMemory.Empty).ShouldBeTrue();
            problem.ShouldNotBeNull();
        }
        finally
        {
            Directory.Delete(state, recursive: true);
        }
    }
}
