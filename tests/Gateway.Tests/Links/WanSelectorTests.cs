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
    private readonly WanSelector _selector;
    private Link[] _links;

    public WanSelectorTests()
    {
        _links = [Wan(1, 30), Wan(2, 10), Wan(3, 5) with { Role = LinkRole.Backup }];
        _selector = new WanSelector(() => LinkSnapshot.Empty with { Links = [.. _links] });
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
