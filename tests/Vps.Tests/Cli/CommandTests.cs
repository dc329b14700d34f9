using System.Text.Json;
using Aggregator.Cli;
using Aggregator.Identity;
using Aggregator.Vps.Cli;
using Aggregator.Vps.Configuration;
using Aggregator.Vps.Pairing;
using Aggregator.Vps.Tests.Pairing;
using Shouldly;
using Xunit;

namespace Aggregator.Vps.Tests.Cli;

public sealed class CommandTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    private string Config => _directory["vps.yaml"];

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Init_writes_a_configuration_that_loads_and_a_key()
    {
        (await RunAsync("init", "--public", "vps.example.net", "--public", "[2001:db8::1]", "--port", "443", "--config", Config, "--state", _directory["a \"b\\"]))
            .Code.ShouldBe(ExitCode.Done);

        var config = VpsConfigFile.Load(Config).Config.ShouldNotBeNull();
        config.Public.ShouldBe(["vps.example.net", "2001:db8::1"]);
        config.Listen.ToString().ShouldBe("[::]:443");
        config.State.ShouldBe(_directory["a \"b\\"]);
        File.Exists(Path.Combine(config.State, IdentityKey.FileName)).ShouldBeTrue();
    }

    [Fact]
    public async Task Init_overwrites_only_by_force_and_never_the_key()
    {
        await InitAsync();
        string before = File.ReadAllText(Config);
        string key = File.ReadAllText(Path.Combine(_directory["state"], IdentityKey.FileName));

        var (code, _, error) = await RunAsync("init", "--public", "other.example", "--config", Config, "--state", _directory["state"]);
        error.ShouldBe($"aggregator-vps: {Config} is there already; edit it, or replace it with `--force`\n");
        code.ShouldBe(ExitCode.Failed);
        File.ReadAllText(Config).ShouldBe(before);

        (await RunAsync("init", "--public", "other.example", "--config", Config, "--state", _directory["state"], "--force")).Code.ShouldBe(ExitCode.Done);
        File.ReadAllText(Config).ShouldContain("other.example");
        File.ReadAllText(Path.Combine(_directory["state"], IdentityKey.FileName)).ShouldBe(key);
    }

    [Fact]
    public async Task Pair_prints_one_line_alone_and_the_picture_elsewhere()
    {
        await InitAsync();

        var (code, output, error) = await RunAsync("pair", "--name", "home", "--expires", "10m", "--qr", "--config", Config);

        code.ShouldBe(ExitCode.Done);
        output.Count(c => c == '\n').ShouldBe(1);
        var line = PairingUri.Parse(output.TrimEnd('\n')).Value.ShouldNotBeNull();
        line.Hosts.ShouldBe(["vps.example.net"]);
        line.Port.ShouldBe((ushort)7443);
        using var key = IdentityKey.LoadOrCreate(_directory["state"]);
        line.Pin.ShouldBe(key.Pin);
        error.ShouldContain("▄");
        error.ShouldNotContain("\e", Case.Sensitive, "no colours unless on a terminal");
    }

    [Fact]
    public async Task A_hand_written_configuration_is_enough_to_pair()
    {
        File.WriteAllText(Config, $"public: [\"2001:db8::1\"]\nlisten: \"[::]:555\"\nstate: {_directory["state"]}\n");
        var (code, output, _) = await RunAsync("pair", "--config", Config);
        output.ShouldStartWith("aggregator://[2001:db8::1]:555/?pin=");
        code.ShouldBe(ExitCode.Done);
    }

    [Theory]
    [InlineData("state: STATE\n", ": key `public` names no host, so gateways cannot know where this one is; add `public: [NAME-OR-ADDRESS]`\n")]
    [InlineData("pblic: [a]\n", ":1: key `pblic`: there is no such key; did you mean `public`?\n")]
    public async Task Pair_says_what_is_wrong_with_the_configuration(string yaml, string expected)
    {
        File.WriteAllText(Config, yaml.Replace("STATE", _directory["state"], StringComparison.Ordinal));
        var (code, output, error) = await RunAsync("pair", "--config", Config);
        error.ShouldBe($"aggregator-vps: {Config}{expected}");
        output.ShouldBeEmpty();
        code.ShouldBe(ExitCode.Failed);
    }

    [Theory]
    [InlineData("--expires", "5x")]
    [InlineData("--expires", "")]
    [InlineData("--name", "a/b")]
    public async Task Bad_values_are_wrong_usage(string option, string value)
    {
        await InitAsync();
        var (code, _, error) = await RunAsync("pair", option, value, "--config", Config);
        code.ShouldBe(ExitCode.WrongUsage);
        error.Count(c => c == '\n').ShouldBe(1);
    }

    [Fact]
    public async Task Gateways_and_revoke_work_without_a_daemon()
    {
        await InitAsync();
        using var key = IdentityKey.CreateEphemeral();
        new PairedGateways(_directory["state"]).Add("home", key.Pin, DateTimeOffset.UnixEpoch);

        using (var json = JsonDocument.Parse((await RunAsync("gateways", "--json", "--config", Config)).Output))
        {
            var gateway = json.RootElement.GetProperty("gateways")[0];
            gateway.GetProperty("name").GetString().ShouldBe("home");
            gateway.GetProperty("pin").GetString().ShouldBe(key.Pin.ToString());
            gateway.GetProperty("connected").ValueKind.ShouldBe(JsonValueKind.Null, "nobody to ask");
        }

        (await RunAsync("revoke", "hmoe", "--config", Config)).ShouldBe(
            (ExitCode.Failed, "", "aggregator-vps: no gateway is called \"hmoe\"; paired are: home\n"));
        (await RunAsync("revoke", "home", "--config", Config)).ShouldBe(
            (ExitCode.Done, "home is revoked; no daemon is running, so nothing was open\n", ""));
        new PairedGateways(_directory["state"]).All.ShouldBeEmpty();
        (await RunAsync("gateways", "--config", Config)).Output.ShouldBe("no gateway is paired; `aggregator-vps pair` prints the line for one\n");
    }

    private async Task InitAsync() => (await RunAsync(
        "init", "--public", "vps.example.net", "--config", Config, "--state", _directory["state"], "--api", _directory["vps.sock"])).Code.ShouldBe(ExitCode.Done);

    private static async Task<(int Code, string Output, string Error)> RunAsync(params string[] arguments)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        int code = await CommandLine.RunAsync(RootCommandFactory.Create(), RootCommandFactory.Name, arguments, output, error);
        return (code, output.ToString(), error.ToString());
    }
}
