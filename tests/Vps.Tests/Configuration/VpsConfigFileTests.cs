using System.Net;
using System.Text;
using Aggregator.Vps.Configuration;
using Shouldly;
using Xunit;

namespace Aggregator.Vps.Tests.Configuration;

public sealed class VpsConfigFileTests
{
    [Fact]
    public void The_documented_example_is_read_in_full()
    {
        var config = Load("""
            listen: "[::]:7443"
            public: [vps.example.net, 203.0.113.7, "2001:db8::1"]
            egress:
              allow: [10.50.0.0/24]
            plain: allow
            state: /var/lib/x
            api: /run/x.sock
            """).Config.ShouldNotBeNull();

        config.Listen.ShouldBe(IPEndPoint.Parse("[::]:7443"));
        config.Public.ShouldBe(["vps.example.net", "203.0.113.7", "2001:db8::1"]);
        config.EgressAllow.ShouldBe([IPNetwork.Parse("10.50.0.0/24")]);
        config.AllowPlain.ShouldBeTrue();
        config.State.ShouldBe("/var/lib/x");
        config.Api.ShouldBe("/run/x.sock");
    }

    [Theory]
    [InlineData("listen: 7443\n", "f.yaml:1: key `listen`: must be ADDRESS:PORT, such as 192.168.77.1:1080 or [::1]:1080; it is \"7443\"")]
    [InlineData("lisen: 7443\n", "f.yaml:1: key `lisen`: there is no such key; did you mean `listen`?")]
    [InlineData("public: vps.example.net\n", "f.yaml:1: key `public`: must be a list, such as `public: [vps.example.net]`")]
    [InlineData("public: [a.example:7443]\n", "f.yaml:1: key `public[0]`: must be a host's name or address without a port; it is \"a.example:7443\"")]
    [InlineData("public: [a.example, A.example]\n", "f.yaml:1: key `public`: names a host twice; remove one")]
    [InlineData("egress: [a]\n", "f.yaml:1: key `egress`: must be a mapping, such as `egress: {allow: [10.50.0.0/24]}`")]
    [InlineData("egress:\n  alow: []\n", "f.yaml:2: key `egress.alow`: there is no such key; did you mean `allow`?")]
    [InlineData("egress:\n  allow: [10.50.0.1/24]\n", "f.yaml:2: key `egress.allow[0]`: must be NETWORK/LENGTH, such as 10.50.0.0/24; it is \"10.50.0.1/24\" (did you mean 10.50.0.0/24?)")]
    [InlineData("plain: yes\n", "f.yaml:1: key `plain`: must be refuse or allow; it is \"yes\"")]
    [InlineData("api: /run/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678.sock\n", "f.yaml:1: key `api`: a Unix socket's path has at most 107 bytes, this one has 119; choose a shorter one")]
    public void Each_error_names_file_line_and_key(string text, string expected) => Load(text).FirstError.ShouldBe(expected);

    [Fact]
    public void An_empty_file_is_all_defaults() => Load("").Config.ShouldNotBeNull().Listen.ShouldBe(IPEndPoint.Parse("[::]:7443"));

    private static Settings.Loaded<VpsConfig> Load(string text) => VpsConfigFile.Parse("f.yaml", Encoding.UTF8.GetBytes(text));
}
