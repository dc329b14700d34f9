using System.Net;
using System.Text;
using Aggregator.Flows;
using Aggregator.Gateway.Configuration;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Configuration;

/// <summary>`redundant`: which flows it marks, and what it refuses to take.</summary>
public sealed class RedundantFlowsTests
{
    [Theory]
    [InlineData("{ports: [5060-5061]}", "socks", "192.168.77.20", "203.0.113.9", 5061, true)]
    [InlineData("{ports: [5060-5061]}", "socks", "192.168.77.20", "203.0.113.9", 5062, false)]
    [InlineData("{ports: [22, 5060]}", "http", "192.168.77.20", "ssh.example.net", 22, true)]
    [InlineData("{to: [203.0.113.0/24]}", "transparent", "192.168.77.20", "203.0.113.9", 1, true)]
    [InlineData("{to: [203.0.113.0/24]}", "transparent", "192.168.77.20", "203.0.114.9", 1, false)]
    [InlineData("{to: [203.0.113.9]}", "socks", "192.168.77.20", "::ffff:203.0.113.9", 1, true)]
    [InlineData("{to: [\"2001:db8::/32\"]}", "socks", "fe80::1", "2001:db8::5", 1, true)]
    [InlineData("{hosts: [game.example.net]}", "socks", "192.168.77.20", "Game.Example.net.", 1, true)]
    [InlineData("{hosts: [game.example.net]}", "socks", "192.168.77.20", "my.game.example.net", 1, false)]
    [InlineData("{hosts: [.example.net]}", "http", "192.168.77.20", "a.b.example.net", 1, true)]
    [InlineData("{hosts: [.example.net]}", "http", "192.168.77.20", "example.net", 1, true)]
    [InlineData("{hosts: [.example.net]}", "http", "192.168.77.20", "badexample.net", 1, false)]
    [InlineData("{hosts: [.example.net]}", "transparent", "192.168.77.20", "203.0.113.9", 1, false)]
    [InlineData("{hosts: [a.test], to: [203.0.113.9]}", "socks", "192.168.77.20", "203.0.113.9", 1, true)]
    [InlineData("{clients: [192.168.77.20]}", "socks", "::ffff:192.168.77.20", "a.test", 1, true)]
    [InlineData("{clients: [192.168.77.20]}", "socks", "192.168.77.21", "a.test", 1, false)]
    [InlineData("{clients: [192.168.77.20]}", "socks", null, "a.test", 1, false)]
    [InlineData("{ingress: [transparent]}", "transparent", "192.168.77.20", "203.0.113.9", 1, true)]
    [InlineData("{ingress: [transparent]}", "socks", "192.168.77.20", "203.0.113.9", 1, false)]
    [InlineData("{ports: [5060], clients: [192.168.77.20]}", "socks", "192.168.77.20", "a.test", 5061, false)]
    [InlineData("{ports: [5060], clients: [192.168.77.20]}", "socks", "192.168.77.20", "a.test", 5060, true)]
    [InlineData("{ports: [1]}, {ports: [2]}", "socks", "192.168.77.20", "a.test", 2, true)]
    public void What_it_marks(string rules, string ingress, string? client, string target, int port, bool marked)
    {
        var flow = IPAddress.TryParse(target, out var address) ? new FlowTarget(address, (ushort)port) : new FlowTarget(target, (ushort)port);
        Parse($"redundant: [{rules}]\n").Config!.Redundant.Has(ingress, client is null ? null : IPAddress.Parse(client), flow).ShouldBe(marked);
    }

    [Theory]
    [InlineData("redundant: {ports: [1]}\n", "f.yaml:1: key `redundant`: must be a list")]
    [InlineData("redundant:\n  - ports: [0]\n", "f.yaml:2: key `redundant[0].ports[0]`: must be a port or a range of ports")]
    [InlineData("redundant:\n  - ports: [9-5]\n", "f.yaml:2: key `redundant[0].ports[0]`: must be a port or a range of ports")]
    [InlineData("redundant:\n  - ports: []\n", "f.yaml:2: key `redundant[0].ports`: names nothing")]
    [InlineData("redundant:\n  - {}\n", "f.yaml:2: key `redundant[0].ports`: is missing, and so are to, hosts, clients, ingress")]
    [InlineData("redundant:\n  - prots: [1]\n    to: [10.0.0.0/8]\n", "f.yaml:2: key `redundant[0].prots`: there is no such key; did you mean `ports`?")]
    [InlineData("redundant:\n  - to: [10.0.0.1/8]\n", "f.yaml:2: key `redundant[0].to[0]`: must be NETWORK/LENGTH")]
    [InlineData("redundant:\n  - hosts: [\"a b\"]\n", "f.yaml:2: key `redundant[0].hosts[0]`: must be a host's name")]
    [InlineData("redundant:\n  - ingress: [socsk]\n", "f.yaml:2: key `redundant[0].ingress[0]`: must be transparent or socks or http")]
    public void What_it_refuses(string text, string problem) => Parse(text).Errors.ShouldHaveSingleItem().ToString().ShouldStartWith(problem);

    [Fact]
    public void No_key_marks_nothing() =>
        Parse("lan: [a]\n").Config!.Redundant.Has("socks", IPAddress.Loopback, new FlowTarget("a.test", 1)).ShouldBeFalse();

    [Fact]
    public void A_range_is_read_as_it_was_written_and_any_other_text_is_an_error()
    {
        Prop.ForAll(Gen.Choose(0, 70_000).Two().ToArbitrary(), ends =>
        {
            var read = RedundantFlowsReader.Ports($"{ends.Item1}-{ends.Item2}");
            bool right = ends.Item1 is > 0 and <= ushort.MaxValue && ends.Item2 <= ushort.MaxValue && ends.Item1 <= ends.Item2;
            return right == read.Problem is null && (!right || read.Value == new PortRange((ushort)ends.Item1, (ushort)ends.Item2));
        }).QuickCheckThrowOnFailure();
        Prop.ForAll<NonNull<string>>(text => RedundantFlowsReader.Ports(text.Get) is { Problem: { } } or { Value.First: > 0 }).QuickCheckThrowOnFailure();
    }

    private static Settings.Loaded<GatewayConfig> Parse(string text) => GatewayConfigFile.Parse("f.yaml", Encoding.UTF8.GetBytes(text));
}
