using System.Net;
using System.Net.Sockets;
using Aggregator.Netlink;
using Shouldly;
using Xunit;

namespace Aggregator.Network.Tests.Netlink;

public sealed class RouteMonitorTests
{
    [SkippableFact]
    public async Task Carrier_addresses_routes_and_rules_are_reported()
    {
        await using TestNamespace left = await TestNamespace.CreateAsync();
        await using TestNamespace right = await TestNamespace.CreateAsync();
        await left.ConnectAsync(right, "wan1", ["10.7.1.1/24"], ["10.7.1.2/24"]);
        using RouteMonitor monitor = left.Run(() => RouteMonitor.Open());
        using var patience = new CancellationTokenSource(Events.Patience);
        await using IAsyncEnumerator<NetlinkEvent> events = monitor.ReadAllAsync(patience.Token).GetAsyncEnumerator();

        await right.IpAsync("link set wan1 down");
        (await events.NextAsync<NetlinkEvent.LinkChanged>(e => e.Link.Name == "wan1" && !e.Link.Carrier)).Link.IsUsable.ShouldBeFalse();
        await right.IpAsync("link set wan1 up");
        (await events.NextAsync<NetlinkEvent.LinkChanged>(e => e.Link.Name == "wan1" && e.Link.Carrier)).Link.IsUsable.ShouldBeTrue();

        await left.IpAsync("address add 10.7.1.7/24 dev wan1");
        IPAddress added = IPAddress.Parse("10.7.1.7");
        await events.NextAsync<NetlinkEvent.AddressChanged>(e => e.Address.Address.Equals(added));
        await left.IpAsync("address delete 10.7.1.7/24 dev wan1");
        await events.NextAsync<NetlinkEvent.AddressRemoved>(e => e.Address.Address.Equals(added));

        await left.IpAsync("address add fd07:1::7/64 dev wan1");
        IPAddress tentative = IPAddress.Parse("fd07:1::7");
        (await events.NextAsync<NetlinkEvent.AddressChanged>(e => e.Address.Address.Equals(tentative))).Address.IsTentative.ShouldBeTrue();
        await events.NextAsync<NetlinkEvent.AddressChanged>(e => e.Address.Address.Equals(tentative) && !e.Address.IsTentative);

        await left.IpAsync("route add default via 10.7.1.2");
        (await events.NextAsync<NetlinkEvent.RouteChanged>(e => e.Route.IsDefault && e.Route.Gateway is not null)).Route.Gateway.ShouldBe(IPAddress.Parse("10.7.1.2"));
        await left.IpAsync("route delete default via 10.7.1.2");
        await events.NextAsync<NetlinkEvent.RouteRemoved>(e => e.Route.IsDefault);
        await left.IpAsync("-6 rule add fwmark 5 table 99 priority 50");
        (await events.NextAsync<NetlinkEvent.RuleAdded>(_ => true)).Rule.Family.ShouldBe(AddressFamily.InterNetworkV6);
        await left.IpAsync("-6 rule delete priority 50");
        await events.NextAsync<NetlinkEvent.RuleRemoved>(e => e.Rule.Priority == 50);

        await left.IpAsync("link delete wan1");
        await events.NextAsync<NetlinkEvent.LinkRemoved>(e => e.Link.Name == "wan1");
    }

    [SkippableFact]
    public async Task An_overrun_is_reported_once_and_the_stream_goes_on()
    {
        await using TestNamespace space = await TestNamespace.CreateAsync();
        using RouteMonitor monitor = space.Run(() => RouteMonitor.Open(RouteEvents.Routes, receiveBufferBytes: 1));
        using RouteSocket socket = space.Run(RouteSocket.Open);
        for (int i = 0; i < 500; i++)
        {
            (await socket.AddRouteAsync(RouteOf(i))).IsSuccess.ShouldBeTrue();
        }

        using var patience = new CancellationTokenSource(Events.Patience);
        await using IAsyncEnumerator<NetlinkEvent> events = monitor.ReadAllAsync(patience.Token).GetAsyncEnumerator();
        await events.NextAsync<NetlinkEvent.EventsLost>(_ => true);
        (await socket.RoutesAsync(AddressFamily.InterNetwork)).Count(r => r.Table == 7001).ShouldBe(500);

        // What waited before the overrun is delivered still; then the new is.
        Task<NetlinkEvent.RouteChanged> later = events.NextAsync<NetlinkEvent.RouteChanged>(e => e.Route.Equals(RouteOf(9999)));
        while (!later.IsCompleted)
        {
            await socket.ReplaceRouteAsync(RouteOf(9999));
            await socket.DeleteRouteAsync(RouteOf(9999));
            await Task.Yield();
        }

        await later;
    }

    private static RouteInfo RouteOf(int number)
        => RouteInfo.Unreachable(Prefixes.Containing(new IPAddress([10, 100, (byte)(number >> 8), (byte)number]), 32), 7001, 201);
}
