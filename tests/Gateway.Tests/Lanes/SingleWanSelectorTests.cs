using System.Net;
using System.Net.Sockets;
using Aggregator.Gateway.Carriers;
using Aggregator.Gateway.Configuration;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Lanes;

public sealed class SingleWanSelectorTests
{
    private static readonly Wan Fibre = new("fibre", "wan1", 3, IPAddress.Parse("10.1.0.2"), null, LinkRole.Active, true, 10);

    [Fact]
    public void The_one_wan_in_its_own_family_once_a_dial()
    {
        var selector = new SingleWanSelector(() => Fibre);

        selector.TryPick(AddressFamily.InterNetwork, [], out WanPath path).ShouldBeTrue();
        path.ShouldBe(new WanPath("wan1", Fibre.V4));
        selector.TryPick(AddressFamily.InterNetwork, [path], out _).ShouldBeFalse("it was tried");
        selector.TryPick(AddressFamily.InterNetworkV6, [], out _).ShouldBeFalse("it has no IPv6");
        selector.IsUsable(path).ShouldBeTrue();
    }

    [Fact]
    public void Nothing_of_a_wan_that_is_down_or_gone_or_has_another_address()
    {
        Wan? now = Fibre with { IsUsable = false };
        var selector = new SingleWanSelector(() => now);
        var path = new WanPath("wan1", Fibre.V4);

        selector.TryPick(AddressFamily.InterNetwork, [], out _).ShouldBeFalse();
        selector.IsUsable(path).ShouldBeFalse();
        now = null;
        selector.TryPick(AddressFamily.InterNetwork, [], out _).ShouldBeFalse();
        selector.IsUsable(path).ShouldBeFalse();
        now = Fibre with { V4 = IPAddress.Parse("10.1.0.77") };
        selector.IsUsable(path).ShouldBeFalse();
        selector.TryPick(AddressFamily.InterNetwork, [], out WanPath renewed).ShouldBeTrue();
        renewed.Source.ShouldBe(now.V4);
    }
}
