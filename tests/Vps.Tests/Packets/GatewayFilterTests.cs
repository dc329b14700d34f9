using System.Buffers.Binary;
using System.Net;
using Aggregator.Packets;
using Aggregator.Vps.Configuration;
using Aggregator.Vps.Egress;
using Aggregator.Vps.Packets;
using Aggregator.Vps.Tests.Egress;
using Aggregator.Vps.Tests.Pairing;
using Shouldly;
using Xunit;

namespace Aggregator.Vps.Tests.Packets;

public sealed class GatewayFilterTests
{
    private readonly ManualTime _time = new();
    private readonly VpsConfigSource _config = new(new VpsConfig());
    private readonly GatewayFilter _filter;

    public GatewayFilterTests() => _filter = new GatewayFilter(new EgressPolicySource(_config, new FixedAddresses("203.0.113.5", "2001:db8::5")), _time)
    {
        Own = new PrefixSet([IPNetwork.Parse("192.168.77.0/24"), IPNetwork.Parse("fd00:77::/64")]),
    };

    [Theory]
    [InlineData("192.168.77.2", "1.1.1.1", true)]
    [InlineData("fd00:77::2", "2606:4700::1111", true)]
    [InlineData("192.168.78.2", "1.1.1.1", false)]
    [InlineData("203.0.113.5", "1.1.1.1", false)]
    [InlineData("1.1.1.1", "192.168.77.2", false)]
    [InlineData("fd00:78::2", "2606:4700::1111", false)]
    [InlineData("0.0.0.0", "1.1.1.1", false)]
    public void Only_a_gateways_own_addresses_send(string from, string to, bool allowed)
    {
        Allows(from, to).ShouldBe(allowed);
        _filter.Spoofed.ShouldBe(allowed ? 0 : 1);
        _filter.Refused.ShouldBe(0);
    }

    [Theory]
    [InlineData("192.168.77.2", "10.0.0.1")]
    [InlineData("192.168.77.2", "192.168.77.3")]
    [InlineData("192.168.77.2", "127.0.0.1")]
    [InlineData("192.168.77.2", "169.254.169.254")]
    [InlineData("192.168.77.2", "224.0.0.1")]
    [InlineData("192.168.77.2", "255.255.255.255")]
    [InlineData("192.168.77.2", "203.0.113.5")]
    [InlineData("fd00:77::2", "::1")]
    [InlineData("fd00:77::2", "fe80::1")]
    [InlineData("fd00:77::2", "ff02::1")]
    [InlineData("fd00:77::2", "2001:db8::5")]
    public void Where_TCP_may_not_be_dialled_no_packet_goes(string from, string to)
    {
        Allows(from, to).ShouldBeFalse();
        (_filter.Spoofed, _filter.Refused).ShouldBe((0, 1));
    }

    /// <summary>What is remembered of a target holds for the rules it was asked under.</summary>
    [Fact]
    public void Rules_that_change_hold_at_once()
    {
        Allows("192.168.77.2", "10.5.0.1").ShouldBeFalse();
        _config.Reload(new VpsConfig { EgressAllow = [IPNetwork.Parse("10.5.0.0/16")] });
        Allows("192.168.77.2", "10.5.0.1").ShouldBeTrue();
        _config.Reload(new VpsConfig());
        Allows("192.168.77.2", "10.5.0.1").ShouldBeFalse();
    }

    /// <summary>An IPv4 address is none of IPv6 that begins with the same bytes.</summary>
    [Fact]
    public void Families_are_not_mistaken_for_each_other()
    {
        Allows("192.168.77.2", "38.6.71.0").ShouldBeTrue();
        Allows("fd00:77::2", "2606:4700::").ShouldBeTrue();
        Allows("192.168.77.2", "10.0.0.1").ShouldBeFalse();
        Allows("fd00:77::2", "fe80::1").ShouldBeFalse();
    }

    [Fact]
    public void Refusals_are_told_to_those_who_say_who_they_are_and_not_without_end()
    {
        byte[] honest = Udp("192.168.77.2", "10.0.0.1");
        _filter.TellsRefusal(Udp("192.168.78.2", "10.0.0.1")).ShouldBeFalse();
        int told = Enumerable.Range(0, 1000).Count(_ => _filter.TellsRefusal(honest));
        told.ShouldBe(50);
        _time.Advance(TimeSpan.FromMilliseconds(100));
        Enumerable.Range(0, 1000).Count(_ => _filter.TellsRefusal(honest)).ShouldBe(10);
    }

    [Theory]
    [InlineData("192.168.77.9", true)]
    [InlineData("192.168.78.9", false)]
    [InlineData("fd00:77::9", true)]
    public void Only_a_gateways_own_addresses_are_written_to(string to, bool allowed)
    {
        byte[] packet = Udp(to.Contains(':', StringComparison.Ordinal) ? "2606:4700::1111" : "1.1.1.1", to);
        PacketInfo.TryRead(packet, out var info).ShouldBeTrue();
        _filter.AllowsOut(packet, info).ShouldBe(allowed);
    }

    private bool Allows(string from, string to)
    {
        byte[] packet = Udp(from, to);
        PacketInfo.TryRead(packet, out var info).ShouldBeTrue();
        return _filter.AllowsIn(packet, info);
    }

    private static byte[] Udp(string from, string to)
    {
        byte[] source = IPAddress.Parse(from).GetAddressBytes();
        bool v6 = source.Length == 16;
        byte[] packet = new byte[(v6 ? 40 : 20) + 8];
        if (v6)
        {
            packet[0] = 0x60;
            packet[5] = 8;
            packet[6] = 17;
        }
        else
        {
            packet[0] = 0x45;
            packet[3] = 28;
            packet[9] = 17;
        }

        source.CopyTo(packet, v6 ? 8 : 12);
        IPAddress.Parse(to).GetAddressBytes().CopyTo(packet, v6 ? 24 : 16);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan((v6 ? 40 : 20) + 4), 8);
        return packet;
    }
}
