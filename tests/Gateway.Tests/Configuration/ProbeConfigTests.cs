using System.Net;
using System.Text;
using Aggregator.Gateway.Configuration;
using Aggregator.Settings;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Configuration;

public sealed class ProbeConfigTests
{
    [Fact]
    public void Everything_is_read()
    {
        ProbeConfig probe = Load("""
            probe:
              targets: ["icmp://9.9.9.9", "tcp://[2001:db8::1]:443", "http://192.0.2.1/generate_204", "dns://9.9.9.9:5353/example.net"]
              interval: 500ms
              fails: 4
              successes: 3
              loss: 5%
              latency: 2s
              jitter: off
            """).Config!.Probe;
        probe.Targets.ShouldBe([
            new ProbeTarget(ProbeKind.Icmp, IPAddress.Parse("9.9.9.9"), 0, ""),
            new ProbeTarget(ProbeKind.Tcp, IPAddress.Parse("2001:db8::1"), 443, ""),
            new ProbeTarget(ProbeKind.Http, IPAddress.Parse("192.0.2.1"), 80, "/generate_204"),
            new ProbeTarget(ProbeKind.Dns, IPAddress.Parse("9.9.9.9"), 5353, "example.net"),
        ]);
        probe.Interval.ShouldBe(TimeSpan.FromMilliseconds(500));
        (probe.Fails, probe.Successes).ShouldBe((4, 3));
        probe.Marks.ShouldBe(new LinkMarks { LossRatio = 0.05, Latency = TimeSpan.FromSeconds(2), Jitter = null });
    }

    [Theory]
    [InlineData("probe: {interval: 100ms}", "must be a number and a unit (ms, s or m) from 200ms to 60s, such as 500ms or 2s; it is \"100ms\"")]
    [InlineData("probe: {interval: 1}", "must be a number and a unit")]
    [InlineData("probe: {fails: 0}", "must be a number from 1 to 20; it is \"0\"")]
    [InlineData("probe: {loss: 0.1}", "must be a percentage from 1% to 100%, or off; it is \"0.1\"")]
    [InlineData("probe: {latency: fast}", "(or off)")]
    [InlineData("probe: {targets: [9.9.9.9]}", "must begin with icmp://, tcp://, http:// or dns://")]
    [InlineData("probe: {targets: [\"icmp://dns.example\"]}", "must name an address (IPv6 in brackets), not a host's name")]
    [InlineData("probe: {targets: [\"tcp://9.9.9.9\"]}", "is an address with a port")]
    [InlineData("probe: {targets: [\"tcp://9.9.9.9:0\"]}", "the port must be a number from 1 to 65535")]
    [InlineData("probe: {targets: [\"dns://9.9.9.9\"]}", "is a server's address and a name to ask it for")]
    [InlineData("probe: {targets: [\"dns://9.9.9.9/a..b\"]}", "is a server's address and a name to ask it for")]
    [InlineData("probe: {targets: [\"icmp://2001:db8::1\"]}", "must name an address (IPv6 in brackets)")]
    [InlineData("probe: {marks: 1}", "there is no such key")]
    public void What_is_wrong_is_said(string yaml, string problem) =>
        Load(yaml).Errors.ShouldHaveSingleItem().ToString().ShouldContain(problem);

    [Fact]
    public void Targets_are_shown_as_they_are_written()
    {
        foreach (string text in (string[])["icmp://9.9.9.9", "tcp://[2001:db8::1]:443", "http://192.0.2.1:8080/x?y=z", "dns://[2001:db8::1]/example.net"])
        {
            ProbeTargets.Parse(text).Value!.ToString().ShouldBe(text);
        }
    }

    [Fact]
    public void Any_text_is_a_target_or_a_problem() => Prop.ForAll<string, int>((text, scheme) =>
    {
        string[] schemes = ["", "icmp://", "tcp://", "http://", "dns://", "icmp://[", "dns://9.9.9.9/"];
        var parsed = ProbeTargets.Parse(schemes[(int)((uint)scheme % schemes.Length)] + text);
        return parsed.Problem is not null || ProbeTargets.Parse(parsed.Value!.ToString()).Value == parsed.Value;
    }).QuickCheckThrowOnFailure();

    private static Loaded<GatewayConfig> Load(string yaml) => GatewayConfigFile.Parse("f.yaml", Encoding.UTF8.GetBytes(yaml));
}
