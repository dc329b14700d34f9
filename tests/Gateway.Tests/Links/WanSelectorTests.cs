using System.Net;
using System.Net.Sockets;
using Aggregator.Gateway.Carriers;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Links;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Links;

public sealed class WanSelectorTests
{
    private readonly LinkLoads _loads = new();
    private readonly WanSelector _selector;
    private Link[] _links;

    public WanSelectorTests()
    {
        _links = [Wan(1, 30), Wan(2, 10), Wan(3, 5) with { Role = LinkRole.Backup }];
        _selector = new WanSelector(() => LinkSnapshot.Empty with { Links = [.. _links] }, _loads);
    }

    [Fact]
    public void The_quickest_active_one_first_then_the_others_then_backup()
    {
        PickAll().ShouldBe(["wan2", "wan1", "wan3"]);

        _links[1] = _links[1] with { State = LinkState.Degraded };
        PickAll().ShouldBe(["wan1", "wan2", "wan3"]);

        _links = [.. _links.Select(l => l.Role == LinkRole.Active ? l with { State = LinkState.Down } : l)];
        PickAll().ShouldBe(["wan3"]);

        _links[2] = _links[2] with { Role = LinkRole.Off };
        PickAll().ShouldBeEmpty();
    }

    [Fact]
    public void One_that_is_a_little_quicker_does_not_take_over()
    {
        Pick().ShouldBe("wan2");
        _links[0] = Wan(1, 9);
        Pick().ShouldBe("wan2");
        _links[0] = Wan(1, 7);
        Pick().ShouldBe("wan1");
    }

    [Fact]
    public void Undecided_links_are_better_than_none()
    {
        _links = [Wan(1, null) with { Checking = true }, Wan(2, null) with { State = LinkState.Down }];
        PickAll().ShouldBe(["wan1"]);
    }

    [Fact]
    public void Only_links_with_the_family_and_a_way_out()
    {
        _selector.TryPick(AddressFamily.InterNetworkV6, [], out _).ShouldBeFalse();
        _links[1] = _links[1] with { V4 = null };
        Pick().ShouldBe("wan1");
    }

    [Fact]
    public void A_ready_connection_is_worth_it_while_its_WAN_is_up_and_has_the_address()
    {
        var path = new WanPath("wan2", IPAddress.Parse("10.2.0.2"));
        _selector.IsUsable(path).ShouldBeTrue();
        _selector.IsUsable(default).ShouldBeTrue();
        _selector.IsUsable(new WanPath("gone", null)).ShouldBeFalse();
        _selector.IsUsable(path with { Source = IPAddress.Parse("10.2.0.3") }).ShouldBeFalse();
        _links[1] = _links[1] with { State = LinkState.Down };
        _selector.IsUsable(path).ShouldBeFalse();
    }

    [Fact]
    public void A_link_that_a_test_loads_gives_way_to_one_that_is_quicker_than_it_will_be()
    {
        int changes = 0;
        _loads.Changed += () => changes++;
        WanPath one = PathOf(1), two = PathOf(2);
        (_selector.IsQuick(one), _selector.IsQuick(two)).ShouldBe((true, true));

        // Idle it takes 10 ms, so with a load 70 ms are borne: more than the other's 30.
        _loads.Load("wan2", 10, 12);
        Pick().ShouldBe("wan1");
        (_selector.IsQuick(one), _selector.IsQuick(two)).ShouldBe((true, false));

        // It gives way without the advantage of the one that was chosen last: whatever is picked is quick, or the pool would dial for ever.
        _links[0] = Wan(1, 60);
        Pick().ShouldBe("wan1");
        (_selector.IsQuick(one), _selector.IsQuick(two)).ShouldBe((true, false));

        // The other one is slower than that, until the queue is longer.
        _links[0] = Wan(1, 90);
        Pick().ShouldBe("wan2");
        (_selector.IsQuick(one), _selector.IsQuick(two)).ShouldBe((true, true));
        _loads.Load("wan2", 10, 130);
        Pick().ShouldBe("wan1");
        _selector.IsQuick(two).ShouldBeFalse();

        _loads.EndLoad("wan2");
        Pick().ShouldBe("wan2");
        (_selector.IsQuick(one), _selector.IsQuick(two)).ShouldBe((false, true));
        changes.ShouldBe(2);

        // What the test measured counts until it is over.
        _loads.Know("wan2", 200);
        Pick().ShouldBe("wan1");
        _loads.Forget("wan2");
        Pick().ShouldBe("wan2");
        changes.ShouldBe(2);
    }

    [Fact]
    public void Connections_of_a_backup_are_slow_once_an_active_link_is_back()
    {
        Link[] before = _links;
        _links = [.. _links.Select(l => l.Role == LinkRole.Active ? l with { State = LinkState.Down } : l)];
        _selector.IsQuick(PathOf(3)).ShouldBeTrue();
        _links = before;
        _selector.IsQuick(PathOf(3)).ShouldBeFalse();
        _selector.IsQuick(default).ShouldBeTrue();
    }

    private static WanPath PathOf(int number) => new($"wan{number}", IPAddress.Parse($"10.{number}.0.2"));

    private static Link Wan(int number, double? rttMs) => new()
    {
        Name = $"wan{number}",
        Interface = $"wan{number}",
        Role = LinkRole.Active,
        Slot = number,
        Index = number,
        Carrier = true,
        Addresses = [new LinkAddress(IPAddress.Parse($"10.{number}.0.2"), 24)],
        V4 = new NextHop(null),
        State = LinkState.Up,
        RttMs = rttMs,
    };

    private string Pick() => _selector.TryPick(AddressFamily.InterNetwork, [], out var path) ? path.Interface! : "none";

    private List<string> PickAll()
    {
        var tried = new List<WanPath>();
        while (_selector.TryPick(AddressFamily.InterNetwork, tried.ToArray(), out var path))
        {
            tried.Add(path);
        }

        return [.. tried.Select(t => t.Interface!)];
    }
}
