using System.Net;
using Aggregator.Settings;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Settings;

public sealed class ValuesTests
{
    [Theory]
    [InlineData("192.168.77.1:1080", "192.168.77.1:1080")]
    [InlineData("[::]:7443", "[::]:7443")]
    [InlineData("[fd00::1]:65535", "[fd00::1]:65535")]
    [InlineData("0.0.0.0:1", "0.0.0.0:1")]
    public void Endpoints(string text, string expected) => Values.EndPoint(text).Value!.ToString().ShouldBe(expected);

    [Theory]
    [InlineData("1080")]
    [InlineData(":1080")]
    [InlineData("1.2.3.4")]
    [InlineData("1.2.3:80")]
    [InlineData("1.2.3.04:80")]
    [InlineData("::1:80")]
    [InlineData("[1.2.3.4]:80")]
    [InlineData("[::1%eth0]:80")]
    [InlineData("1.2.3.4:0")]
    [InlineData("1.2.3.4:65536")]
    [InlineData("1.2.3.4:+80")]
    [InlineData("1.2.3.4: 80")]
    [InlineData("localhost:80")]
    [InlineData("[]:80")]
    public void Not_endpoints(string text) => Values.EndPoint(text).Problem.ShouldNotBeNull();

    [Theory]
    [InlineData("10.50.0.1/24", "did you mean 10.50.0.0/24?")]
    [InlineData("10.50.0.1", "did you mean 10.50.0.1/32?")]
    [InlineData("fd00::1/64", "did you mean fd00::/64?")]
    [InlineData("10.0.0.0/33", "must be NETWORK/LENGTH")]
    [InlineData("10/8", "must be NETWORK/LENGTH")]
    public void Not_networks(string text, string hint) => Values.Network(text).Problem.ShouldNotBeNull().ShouldContain(hint);

    [Theory]
    [InlineData("10.50.0.0/24")]
    [InlineData("0.0.0.0/0")]
    [InlineData("fd00::/8")]
    public void Networks(string text) => Values.Network(text).Value.ShouldBe(IPNetwork.Parse(text));

    [Theory]
    [InlineData("vps.example.net", "vps.example.net")]
    [InlineData("203.0.113.7", "203.0.113.7")]
    [InlineData("2001:db8::1", "2001:db8::1")]
    [InlineData("[2001:db8::1]", "2001:db8::1")]
    [InlineData("localhost", "localhost")]
    public void Hosts(string text, string expected) => Values.Host(text).Value.ShouldBe(expected);

    [Theory]
    [InlineData("")]
    [InlineData("vps.example.net:7443")]
    [InlineData("203.0.113.7:7443")]
    [InlineData("http://vps")]
    [InlineData("a b")]
    [InlineData("-a")]
    [InlineData("1.2.3")]
    [InlineData("300.1.1.1")]
    [InlineData("a..b")]
    [InlineData("fe80::1%eth0")]
    public void Not_hosts(string text) => Values.Host(text).Problem.ShouldNotBeNull();

    [Theory]
    [InlineData("a/b")]
    [InlineData("eth 0")]
    [InlineData("..")]
    [InlineData("")]
    [InlineData("abcdefghijklmnop")] // 16
    [InlineData("eth0:1")]
    public void Not_interfaces(string text) => Values.InterfaceName(text).Problem.ShouldNotBeNull();

    [Fact]
    public void A_unix_sockets_path_has_at_most_107_bytes()
    {
        Values.UnixSocketPath("/" + new string('a', 106)).Problem.ShouldBeNull();
        Values.UnixSocketPath("/" + new string('a', 107)).Problem.ShouldNotBeNull().ShouldContain("107");
        Values.UnixSocketPath("/" + new string('é', 60)).Problem.ShouldNotBeNull("bytes, not characters");
        Values.UnixSocketPath("run/x.sock").Problem.ShouldNotBeNull();
    }

    [Fact]
    public void No_text_throws_or_makes_a_second_line() => Prop.ForAll(ArbMap.Default.ArbFor<string>(), text =>
    {
        text ??= "";
        string?[] problems =
        [
            Values.EndPoint(text).Problem, Values.Address(text).Problem, Values.Network(text).Problem, Values.Host(text).Problem,
            Values.Name(text).Problem, Values.InterfaceName(text).Problem, Values.UnixSocketPath(text).Problem, Values.Port(text).Problem,
            Values.OneOf(text, "active", "off").Problem, Durations.Parse(text).Problem,
        ];
        return problems.All(p => p is null || !p.Any(char.IsControl));
    }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData("activ", "active")]
    [InlineData("bakcup", "backup")]
    [InlineData("OFF", "off")]
    [InlineData("none", null)]
    public void Near_misses(string word, string? meant) => NearMiss.Find(word, ["active", "backup", "off"]).ShouldBe(meant);

    [Theory]
    [InlineData("1h", 3600)]
    [InlineData("30m", 1800)]
    [InlineData("7d", 604800)]
    [InlineData("5s", 5)]
    public void Durations_of_one_number_and_unit(string text, int seconds) => Durations.Parse(text).Value.TotalSeconds.ShouldBe(seconds);

    [Theory]
    [InlineData("")]
    [InlineData("1")]
    [InlineData("h")]
    [InlineData("1.5h")]
    [InlineData("-1h")]
    [InlineData("+1h")]
    [InlineData("1 h")]
    [InlineData("1H")]
    [InlineData("1h30m")]
    [InlineData("0s")]
    [InlineData("999999999999d")]
    [InlineData("99999999d")]
    public void Not_durations(string text) => Durations.Parse(text).Problem.ShouldNotBeNull();
}
