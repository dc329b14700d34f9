using System.Net;
using System.Text;
using Aggregator.Gateway.Configuration;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Configuration;

public sealed class ClientsConfigTests
{
    private const string Transparent = "ingress: {transparent: true}\n";

    [Fact]
    public void Everything_has_a_default()
    {
        var clients = Load(Transparent + "clients: {}\n").Clients.ShouldNotBeNull();
        clients.Listen.ShouldBe((ushort)51820);
        clients.Network.ShouldBe(IPNetwork.Parse("10.213.77.0/24"));
        clients.Network6.ShouldBeNull();
        clients.EndPoint.ShouldBeNull();
        clients.Dns.ShouldBeEmpty();
        Load("lan: [lan0]\n" + Transparent).Clients.ShouldBeNull();
    }

    [Fact]
    public void All_of_it_is_read()
    {
        var clients = Load(Transparent + "clients: {listen: 4500, network: 192.168.200.0/25, network6: \"fd12:3456::/64\", endpoint: \"[2001:db8::7]:4500\", dns: [192.168.77.1]}\n").Clients.ShouldNotBeNull();
        clients.Listen.ShouldBe((ushort)4500);
        clients.Network.ShouldBe(IPNetwork.Parse("192.168.200.0/25"));
        clients.Network6.ShouldBe(IPNetwork.Parse("fd12:3456::/64"));
        clients.EndPoint.ShouldBe("[2001:db8::7]:4500");
        clients.Dns.ShouldBe([IPAddress.Parse("192.168.77.1")]);
    }

    [Theory]
    [InlineData("clients: {listen: 0}", "clients.listen")]
    [InlineData("clients: {network: 8.8.8.0/24}", "must be a private network")]
    [InlineData("clients: {network: 10.0.0.0/31}", "prefix of 16 to 30")]
    [InlineData("clients: {network: 10.0.0.0/8}", "prefix of 16 to 30")]
    [InlineData("clients: {network: \"fd00::/64\"}", "must be an IPv4 network")]
    [InlineData("clients: {network6: 10.0.0.0/24}", "must be an IPv6 network")]
    [InlineData("clients: {endpoint: home}", "must be HOST:PORT")]
    [InlineData("clients: {endpoint: \"2001:db8::7:51820\"}", "brackets")]
    [InlineData("clients: {endpoint: \"home:0\"}", "the port")]
    [InlineData("clients: {port: 1}", "port")]
    [InlineData("clients: 51820", "clients")]
    public void What_cannot_be_is_said_with_its_key(string text, string said) =>
        Errors(Transparent + text + "\n").ShouldContain(said);

    [Fact]
    public void It_needs_the_transparent_ingress() => Errors("lan: [lan0]\nclients: {}\n").ShouldContain("transparent: true");

    [Fact]
    public void Any_end_point_is_read_or_not() => Prop.ForAll(ArbMap.Default.ArbFor<NonNull<string>>(), text =>
        ClientsConfigReader.EndPoint(text.Get) is { Value: null, Problem: not null } || text.Get.Contains(':', StringComparison.Ordinal)).QuickCheckThrowOnFailure();

    private static GatewayConfig Load(string text) => GatewayConfigFile.Parse("gateway.yaml", Encoding.UTF8.GetBytes(text)).Config.ShouldNotBeNull();

    private static string Errors(string text)
    {
        var loaded = GatewayConfigFile.Parse("gateway.yaml", Encoding.UTF8.GetBytes(text));
        loaded.Succeeded.ShouldBeFalse();
        return string.Join('\n', loaded.Errors);
    }
}
