using System.Net;
using System.Text;
using Aggregator.Gateway.Configuration;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Configuration;

public sealed class GatewayConfigFileTests
{
    [Fact]
    public void The_documented_example_is_read_in_full()
    {
        var config = Load("""
            # gateway.yaml
            lan: [lan0]                      # interfaces whose clients are carried
            wans:                            # leave out: every other interface with a default route
              - interface: wan1
                name: fibre                  # default: the interface's name
                role: active                 # active | backup | off
              - interface: wan2
                role: backup
                gateway: 10.2.0.1
            ingress:
              transparent: true              # TPROXY for the LAN, IPv4 and IPv6
              socks: 192.168.77.1:1080
              users: [{name: me, password: "1234"}]
              http: 192.168.77.1:3128        # HTTP CONNECT
            carrier: trunk                   # trunk | mptcp
            cipher: none
            dashboard: 192.168.77.1:8080
            state: /var/lib/aggregator-gateway
            api: /run/aggregator/gateway.sock
            """).Config.ShouldNotBeNull();

        config.Lan.ShouldBe(["lan0"]);
        config.Wans!.Value.ShouldBe([
            new WanConfig("wan1", "fibre", LinkRole.Active, null),
            new WanConfig("wan2", "wan2", LinkRole.Backup, IPAddress.Parse("10.2.0.1")),
        ]);
        config.Ingress.Transparent.ShouldBeTrue();
        config.Ingress.Socks.ShouldBe(IPEndPoint.Parse("192.168.77.1:1080"));
        config.Ingress.SocksUsers.ShouldBe([new ProxyUser("me", "1234")]);
        config.Ingress.Http.ShouldBe(IPEndPoint.Parse("192.168.77.1:3128"));
        config.Carrier.ShouldBe("trunk");
        config.Encrypt.ShouldBeFalse();
        config.Dashboard.ShouldBe(IPEndPoint.Parse("192.168.77.1:8080"));
    }

    [Fact]
    public void Users_may_stand_under_socks()
    {
        var config = Load("ingress: {socks: {listen: \"[::1]:1080\", users: [{name: a, password: b}]}}").Config.ShouldNotBeNull();
        config.Ingress.Socks.ShouldBe(IPEndPoint.Parse("[::1]:1080"));
        config.Ingress.SocksUsers.ShouldBe([new ProxyUser("a", "b")]);
    }

    [Fact]
    public void An_empty_file_is_all_defaults()
    {
        var config = Load("").Config.ShouldNotBeNull();
        config.Wans.ShouldBeNull();
        config.Encrypt.ShouldBeTrue();
        config.State.ShouldBe("/var/lib/aggregator-gateway");
        config.Api.ShouldBe("/run/aggregator/gateway.sock");
    }

    [Theory]
    [InlineData("lan: [a]\nwasn: []\n", "f.yaml:2: key `wasn`: there is no such key; did you mean `wans`?")]
    [InlineData("probe: {http: \"https://a.test/\"}\n", "f.yaml:1: key `probe.http`: must be an http:// URL (plain: portals answer nothing else), such as http://probe.example.net/generate_204; it is \"https://a.test/\"")]
    [InlineData("foo: 1\n", "f.yaml:1: key `foo`: there is no such key; known are api, carrier, cipher, clients, dashboard, direct, dns, fallback, hooks, ingress, lan, paths, probe, realtime, redundant, state, wans")]
    [InlineData("lan: lan0\n", "f.yaml:1: key `lan`: must be a list, such as `lan: [lan0]`")]
    [InlineData("lan:\n", "f.yaml:1: key `lan`: must be a list, such as `lan: [lan0]`")]
    [InlineData("lan: [a, {b: c}]\n", "f.yaml:1: key `lan[1]`: must be a single value, as in `lan: [lan0]`")]
    [InlineData("lan: [a, a]\n", "f.yaml:1: key `lan`: names a twice; remove one")]
    [InlineData("lan:\n  - averyveryverylongname\n", "f.yaml:2: key `lan[0]`: an interface's name has 1 to 15 characters; it is \"averyveryverylongname\"")]
    [InlineData("lan: [\"a/b\"]\n", "f.yaml:1: key `lan[0]`: not an interface's name: \"a/b\"; `ip link` shows those there are")]
    [InlineData("wans: 5\n", "f.yaml:1: key `wans`: must be a list, such as `wans: {interface: wan1, name: fibre}`")]
    [InlineData("wans: [wan1]\n", "f.yaml:1: key `wans[0]`: must be a mapping, such as `{interface: wan1, name: fibre}`")]
    [InlineData("wans: []\n", "f.yaml:1: key `wans`: names no WAN; leave the key out to use every interface with a default route")]
    [InlineData("wans:\n  - name: x\n", "f.yaml:2: key `wans[0].interface`: is missing; a WAN is written as `{interface: wan1, name: fibre}`")]
    [InlineData("wans:\n  - interface: a\n    role: activ\n", "f.yaml:3: key `wans[0].role`: must be active or backup or off; it is \"activ\" (did you mean `active`?)")]
    [InlineData("wans:\n  - interface: a\n    nmae: b\n", "f.yaml:3: key `wans[0].nmae`: there is no such key; did you mean `name`?")]
    [InlineData("wans:\n  - interface: a\n    gateway: nope\n", "f.yaml:3: key `wans[0].gateway`: must be an IPv4 or IPv6 address; it is \"nope\"")]
    [InlineData("wans:\n  - interface: a\n  - interface: a\n    name: b\n", "f.yaml:3: key `wans[1].interface`: a is there twice; remove one")]
    [InlineData("wans:\n  - interface: a\n    name: x\n  - interface: b\n    name: x\n", "f.yaml:5: key `wans[1].name`: two WANs are called x; rename one")]
    [InlineData("wans:\n  - interface: a\n  - interface: b\n    name: a\n", "f.yaml:4: key `wans[1].name`: two WANs are called a; rename one")]
    [InlineData("lan: [a]\nwans:\n  - interface: a\n", "f.yaml:3: key `wans[0].interface`: a is also in `lan`; an interface is one or the other")]
    [InlineData("wans:\n  - interface: a\n    weight: 0\n", "f.yaml:3: key `wans[0].weight`: must be a whole number from 1 to 1000; it is \"0\"")]
    [InlineData("wans:\n  - interface: a\n    quota: {}\n", "f.yaml:3: key `wans[0].quota.limit`: is missing; a quota is written as `{limit: 50GB, billing-day: 1, then: off}`")]
    [InlineData("wans:\n  - interface: a\n    quota: {limit: 5}\n", "f.yaml:3: key `wans[0].quota.limit`: must be a number and a unit (kB, MB, GB, TB, or KiB, MiB, GiB, TiB), such as 50GB; it is \"5\"")]
    [InlineData("wans:\n  - interface: a\n    quota: {limit: 5GB, billing-day: 32}\n", "f.yaml:3: key `wans[0].quota.billing-day`: must be a whole number from 1 to 31; it is \"32\"")]
    [InlineData("wans:\n  - interface: a\n    cap: {down: fast}\n", "f.yaml:3: key `wans[0].cap.down`: must be a number and a unit (kbit, Mbit or Gbit, a second), such as 20Mbit; it is \"fast\"")]
    [InlineData("wans:\n  - interface: a\n    schedule: [{from: \"25:00\", to: \"01:00\", role: off}]\n", "f.yaml:3: key `wans[0].schedule[0].from`: must be a time of the day, such as \"08:00\"; it is \"25:00\"")]
    [InlineData("wans:\n  - interface: a\n    backup-when: never\n", "f.yaml:3: key `wans[0].backup-when`: must be gone or full; it is \"never\"")]
    [InlineData("fallback: allow\n", "f.yaml:1: key `fallback`: must be direct or block; it is \"allow\"")]
    [InlineData("direct: {to: [10.0.0.1/8]}\n", "f.yaml:1: key `direct.to[0]`: must be NETWORK/LENGTH, such as 10.50.0.0/24; it is \"10.0.0.1/8\" (did you mean 10.0.0.0/8?)")]
    [InlineData("hooks: hooks.d\n", "f.yaml:1: key `hooks`: must be an absolute path (beginning with `/`); it is \"hooks.d\"")]
    [InlineData("ingress: 5\n", "f.yaml:1: key `ingress`: must be a mapping, such as `ingress: {socks: 192.168.77.1:1080}`")]
    [InlineData("ingress:\n  transparent: maybe\n", "f.yaml:2: key `ingress.transparent`: must be true, tunnel or false, without quotes; it is \"maybe\"")]
    [InlineData("ingress:\n  transparent: \"true\"\n", "f.yaml:2: key `ingress.transparent`: must be true, tunnel or false, without quotes; it is \"true\"")]
    [InlineData("ingress:\n  transparent: true\n", "f.yaml:2: key `ingress.transparent`: needs `lan`: the interfaces whose clients are carried, such as `lan: [lan0]`")]
    [InlineData("ingress:\n  socks: 1080\n", "f.yaml:2: key `ingress.socks`: must be ADDRESS:PORT, such as 192.168.77.1:1080 or [::1]:1080; it is \"1080\"")]
    [InlineData("ingress:\n  socks: 1.2.3.4:70000\n", "f.yaml:2: key `ingress.socks`: the port must be a number from 1 to 65535; it is \"70000\"")]
    [InlineData("ingress:\n  socks:\n", "f.yaml:2: key `ingress.socks`: has no value; give it one or remove the line")]
    [InlineData("ingress:\n  socks: [a]\n", "f.yaml:2: key `ingress.socks`: must be a single value, not a list")]
    [InlineData("ingress:\n  socks: {users: []}\n", "f.yaml:2: key `ingress.socks.listen`: is missing; say where SOCKS5 listens, such as 192.168.77.1:1080")]
    [InlineData("ingress:\n  users: [{name: a, password: b}]\n", "f.yaml:2: key `ingress.users`: are those of SOCKS5, but there is no `socks`; add it or remove the users")]
    [InlineData("ingress:\n  socks: 1.2.3.4:5\n  users: [{name: a}]\n", "f.yaml:3: key `ingress.users[0].password`: is missing; a user is written as `{name: me, password: secret}`")]
    [InlineData("ingress:\n  socks: 1.2.3.4:5\n  users: [{name: a, password: b}, {name: a, password: c}]\n", "f.yaml:3: key `ingress.users`: two users have the same name; rename one")]
    [InlineData("ingress:\n  socks: 1.2.3.4:5\n  http: 1.2.3.4:5\n", "f.yaml:3: key `ingress.http`: 1.2.3.4:5 is that of `ingress.socks` too; give one of them another port")]
    [InlineData("carrier: trnuk\n", "f.yaml:1: key `carrier`: must be trunk or mptcp; it is \"trnuk\" (did you mean `trunk`?)")]
    [InlineData("cipher: rot13\n", "f.yaml:1: key `cipher`: must be tls or none; it is \"rot13\"")]
    [InlineData("state: here\n", "f.yaml:1: key `state`: must be an absolute path (beginning with `/`); it is \"here\"")]
    public void Each_error_names_file_line_and_key(string text, string expected)
    {
        var loaded = Load(text);
        loaded.Succeeded.ShouldBeFalse();
        loaded.FirstError.ShouldBe(expected);
    }

    [Fact]
    public void All_errors_are_found_in_the_order_of_their_lines()
    {
        var errors = Load("state: x\ncarrier: y\nlan: [lan0]\napi: z\nfoo: 1\n").Errors;
        errors.Select(e => e.Line).ShouldBe([1, 2, 4, 5]);
    }

    [Fact]
    public void A_password_is_never_repeated()
    {
        string secret = new('s', 300);
        Load($"ingress:\n  socks: 1.2.3.4:5\n  users: [{{name: a, password: {secret}}}]\n").FirstError.ShouldNotBeNull().ShouldNotContain("sss");
    }

    [Fact]
    public void Random_documents_of_our_own_keys_never_throw()
    {
        string[] pieces =
        [
            "lan", "wans", "interface", "name", "role", "gateway", "ingress", "transparent", "socks", "users", "password", "http", "carrier", "cipher",
            "dashboard", "state", "api", "listen", ": ", ":\n  ", ":\n    - ", "\n", "\n  ", "- ", "[", "]", "{", "}", ", ", "true", "1.2.3.4:5", "active", "wan1",
            "/x", "~", "'", "\"", "#", "é",
        ];
        var documents = Gen.Elements(pieces).ListOf().Select(string.Concat).ToArbitrary();
        Prop.ForAll(documents, text =>
        {
            var loaded = Load(text);
            return loaded.Succeeded == loaded.Errors.IsEmpty && loaded.Errors.All(e => !e.ToString().Contains('\n', StringComparison.Ordinal));
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(5000));
    }

    private static Settings.Loaded<GatewayConfig> Load(string text) => GatewayConfigFile.Parse("f.yaml", Encoding.UTF8.GetBytes(text));
}
