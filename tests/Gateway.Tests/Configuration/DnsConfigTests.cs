using System.Net;
using System.Text;
using Aggregator.Gateway.Configuration;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Configuration;

/// <summary>`dns`: what it says, and what it refuses to take.</summary>
public sealed class DnsConfigTests
{
    [Fact]
    public void All_of_it_is_read()
    {
        var dns = Parse("{listen: [192.168.77.1, \"fd00::1\"], upstream: \"9.9.9.9:5353\", direct: [\"[2620:fe::fe]:53\"], split: {LAN.: 192.168.77.254, corp.example: \"10.0.0.53:54\"}}").Config.ShouldNotBeNull().Dns.ShouldNotBeNull();
        dns.Listen.Select(l => l.ToString()).ShouldBe(["192.168.77.1:53", "[fd00::1]:53"]);
        dns.Upstream.ShouldHaveSingleItem().ToString().ShouldBe("9.9.9.9:5353");
        dns.Direct.ShouldHaveSingleItem().ToString().ShouldBe("[2620:fe::fe]:53");
        dns.Split.ShouldBe([new DnsSplit("lan", new IPEndPoint(IPAddress.Parse("192.168.77.254"), 53)), new DnsSplit("corp.example", new IPEndPoint(IPAddress.Parse("10.0.0.53"), 54))]);
    }

    [Fact]
    public void Without_the_key_there_is_none() => GatewayConfigFile.Parse("gateway.yaml", "lan: [lan0]"u8).Config.ShouldNotBeNull().Dns.ShouldBeNull();

    [Theory]
    [InlineData("{upstream: 9.9.9.9}", "gateway.yaml:1: key `dns.listen`: is missing")]
    [InlineData("{listen: 0.0.0.0}", "gateway.yaml:1: key `dns.listen`: must be an address of the LAN's")]
    [InlineData("{listen: lan0}", "gateway.yaml:1: key `dns.listen`: must be a name server's address")]
    [InlineData("{listen: [10.0.0.1, \"10.0.0.1:53\"]}", "gateway.yaml:1: key `dns.listen`: names 10.0.0.1:53 twice")]
    [InlineData("{listen: 10.0.0.1, split: {lan: 10.0.0.1}}", "gateway.yaml:1: key `dns.split`: sends lan to 10.0.0.1:53, which is this server itself")]
    [InlineData("{listen: 10.0.0.1, split: {lan: 10.0.0.2, LAN: 10.0.0.3}}", "gateway.yaml:1: key `dns.split`: has lan twice")]
    [InlineData("{listen: 10.0.0.1, split: {\"a b\": 10.0.0.2}}", "gateway.yaml:1: key `dns.split.a b`: must be a domain")]
    [InlineData("{listen: 10.0.0.1, split: {lan: x}}", "gateway.yaml:1: key `dns.split.lan`: must be a name server's address")]
    [InlineData("{listen: 10.0.0.1, split: [lan]}", "gateway.yaml:1: key `dns.split`: must be a mapping")]
    [InlineData("{listen: 10.0.0.1, cache: 1}", "gateway.yaml:1: key `dns.cache`: there is no such key")]
    public void What_it_refuses(string text, string problem) => Parse(text).Errors.ShouldHaveSingleItem().ToString().ShouldStartWith(problem);

    [Fact]
    public void Any_text_is_a_server_or_a_problem() => Prop.ForAll<string>(text => DnsConfigReader.Server(text ?? "") is { Value: null } or { Problem: null }).QuickCheckThrowOnFailure();

    private static Aggregator.Settings.Loaded<GatewayConfig> Parse(string dns) => GatewayConfigFile.Parse("gateway.yaml", Encoding.UTF8.GetBytes($"dns: {dns}\n"));
}
