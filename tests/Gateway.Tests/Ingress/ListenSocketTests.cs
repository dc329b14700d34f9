using System.Net;
using Aggregator.Gateway.Ingress;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Ingress;

public sealed class ListenSocketTests
{
    [Theory]
    [InlineData("203.0.113.77")]
    [InlineData("2001:db8:77::1")]
    public void An_address_that_no_interface_has_yet_is_no_obstacle(string address)
    {
        var listen = new IPEndPoint(IPAddress.Parse(address), 0);
        LocalAddress.Exists(listen.Address).ShouldBeFalse();
        using var socket = ListenSocket.TryOpen("socks", listen, 1, transparent: false, out string? error);
        error.ShouldBeNull();
        ((IPEndPoint)socket!.LocalEndPoint!).Address.ShouldBe(listen.Address);
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    [InlineData("0.0.0.0")]
    [InlineData("::")]
    public void What_is_always_there_is_known_as_such(string address) => LocalAddress.Exists(IPAddress.Parse(address)).ShouldBeTrue();

    [Fact]
    public void A_port_in_use_is_one_line()
    {
        using var first = ListenSocket.TryOpen("socks", new IPEndPoint(IPAddress.Loopback, 0), 1, transparent: false, out _);
        ListenSocket.TryOpen("socks", (IPEndPoint)first!.LocalEndPoint!, 1, transparent: false, out string? error).ShouldBeNull();
        error!.ShouldContain("in use");
        error!.ShouldNotContain("\n");
    }
}
