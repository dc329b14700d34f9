using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Aggregator.Vps.Configuration;
using Aggregator.Vps.Egress;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Vps.Tests.Egress;

public sealed class EgressPolicyTests
{
    [Theory]
    // The public internet, and what looks like something else.
    [InlineData("1.1.1.1", true)]
    [InlineData("9.255.255.255", true)]
    [InlineData("11.0.0.0", true)]
    [InlineData("100.63.255.255", true)]
    [InlineData("100.128.0.0", true)]
    [InlineData("172.15.255.255", true)]
    [InlineData("172.32.0.0", true)]
    [InlineData("192.167.255.255", true)]
    [InlineData("192.169.0.0", true)]
    [InlineData("223.255.255.255", true)]
    [InlineData("2606:4700::1111", true)]
    // Documentation and benchmark ranges: labs.
    [InlineData("192.0.2.1", true)]
    [InlineData("198.51.100.1", true)]
    [InlineData("203.0.113.1", true)]
    [InlineData("198.18.0.1", true)]
    [InlineData("2001:db8::1", true)]
    // Refused, at both ends of each range.
    [InlineData("0.0.0.0", false)]
    [InlineData("0.255.255.255", false)]
    [InlineData("10.0.0.0", false)]
    [InlineData("10.255.255.255", false)]
    [InlineData("100.64.0.0", false)]
    [InlineData("100.127.255.255", false)]
    [InlineData("127.0.0.1", false)]
    [InlineData("127.255.255.255", false)]
    [InlineData("169.254.169.254", false)]
    [InlineData("172.16.0.0", false)]
    [InlineData("172.31.255.255", false)]
    [InlineData("192.0.0.170", false)]
    [InlineData("192.168.0.0", false)]
    [InlineData("192.168.255.255", false)]
    [InlineData("224.0.0.1", false)]
    [InlineData("239.255.255.255", false)]
    [InlineData("240.0.0.1", false)]
    [InlineData("255.255.255.255", false)]
    [InlineData("::", false)]
    [InlineData("::1", false)]
    [InlineData("fc00::1", false)]
    [InlineData("fdff::1", false)]
    [InlineData("fe80::1", false)]
    [InlineData("febf::1", false)]
    [InlineData("fec0::1", false)]
    [InlineData("ff02::1", false)]
    [InlineData("100::1", false)]
    [InlineData("64:ff9b:1::1.1.1.1", false)]
    // Own.
    [InlineData("203.0.113.5", false)]
    [InlineData("2001:db8::5", false)]
    // IPv4 in IPv6 clothes.
    [InlineData("::ffff:10.0.0.1", false)]
    [InlineData("::ffff:203.0.113.5", false)]
    [InlineData("::127.0.0.1", false)]
    [InlineData("64:ff9b::10.0.0.1", false)]
    [InlineData("64:ff9b::127.0.0.1", false)]
    [InlineData("2002:7f00:1::", false)]
    [InlineData("2002:0a00:1::1", false)]
    [InlineData("2001:0:102:304:0:0:f5ff:fffe", false)]
    [InlineData("::ffff:1.1.1.1", true)]
    [InlineData("64:ff9b::1.1.1.1", true)]
    [InlineData("2002:101:101::1", true)]
    public void What_may_be_dialled(string address, bool allowed) =>
        Policy().Allows(IPAddress.Parse(address)).ShouldBe(allowed);

    [Fact]
    public void An_allowance_opens_its_range_and_no_more()
    {
        var policy = Policy("10.50.0.0/24", "fd00:50::/64", "203.0.113.5/32");
        policy.Allows(IPAddress.Parse("10.50.0.7")).ShouldBeTrue();
        policy.Allows(IPAddress.Parse("::ffff:10.50.0.7")).ShouldBeTrue();
        policy.Allows(IPAddress.Parse("fd00:50::7")).ShouldBeTrue();
        policy.Allows(IPAddress.Parse("203.0.113.5")).ShouldBeTrue();
        policy.Allows(IPAddress.Parse("10.50.1.7")).ShouldBeFalse();
        policy.Allows(IPAddress.Parse("fd00:51::7")).ShouldBeFalse();
    }

    /// <summary>No way of writing a refused IPv4 address in IPv6 gets round the rules.</summary>
    [Fact]
    public void Embedding_hides_nothing()
    {
        var policy = Policy();
        Prop.ForAll(ArbMap.Default.GeneratorFor<byte>().ArrayOf(4).ToArbitrary(), bytes =>
        {
            bool plain = policy.Allows(new IPAddress(bytes));
            IPAddress[] forms =
            [
                new IPAddress(bytes).MapToIPv6(),
                new([.. new byte[12], .. bytes]),
                new([0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, .. bytes]),
                new([0x20, 0x02, .. bytes, .. new byte[10]]),
            ];
            return forms.All(f => plain || !policy.Allows(f));
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void The_hosts_own_addresses_are_known()
    {
        var own = new OwnAddresses(TimeProvider.System);
        own.Contains(IPAddress.Loopback).ShouldBeTrue();
        own.Contains(IPAddress.Parse("203.0.113.77")).ShouldBeFalse();
    }

    /// <summary>A cloud's NAT leads them here though no interface has them; a reload changes which they are.</summary>
    [Fact]
    public void The_addresses_under_which_gateways_reach_the_host_are_its_own()
    {
        var config = new VpsConfigSource(new VpsConfig { Public = ["vps.example.net", "203.0.113.9", "2001:db8::9"] });
        var source = new EgressPolicySource(config, new FixedAddresses("203.0.113.5"));
        source.Current.Allows(IPAddress.Parse("203.0.113.9")).ShouldBeFalse();
        source.Current.Allows(IPAddress.Parse("::ffff:203.0.113.9")).ShouldBeFalse();
        source.Current.Allows(IPAddress.Parse("2001:db8::9")).ShouldBeFalse();
        source.Current.Allows(IPAddress.Parse("203.0.113.5")).ShouldBeFalse();
        source.Current.Allows(IPAddress.Parse("203.0.113.10")).ShouldBeTrue();

        config.Reload(new VpsConfig { Public = ["203.0.113.10"] });
        source.Current.Allows(IPAddress.Parse("203.0.113.9")).ShouldBeTrue();
        source.Current.Allows(IPAddress.Parse("203.0.113.10")).ShouldBeFalse();
    }

    private static EgressPolicy Policy(params string[] allow) =>
        new([.. allow.Select(IPNetwork.Parse)], new FixedAddresses("203.0.113.5", "2001:db8::5"));
}

internal sealed class FixedAddresses(params string[] addresses) : IOwnAddresses
{
    private readonly ImmutableHashSet<IPAddress> _addresses = [.. addresses.Select(IPAddress.Parse)];

    public bool Contains(IPAddress address) => _addresses.Contains(address);

    public bool HasGlobal(AddressFamily family) => true;
}
