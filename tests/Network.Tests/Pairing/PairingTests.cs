using System.Net;
using System.Net.Sockets;
using Aggregator.Cli;
using Aggregator.Gateway.Node;
using Aggregator.Identity;
using Aggregator.Vps.Pairing;
using Shouldly;
using Xunit;
using GatewayCommands = Aggregator.Gateway.Cli.RootCommandFactory;

namespace Aggregator.Network.Tests.Pairing;

/// <summary>The gateway's `pair` command against the VPS's pairing service, over TLS and gRPC on loopback.</summary>
public sealed class PairingTests : IAsyncLifetime
{
    private const string Refused =
        "aggregator-gateway: the code was refused: it is wrong, was used already or has expired; get a new line with `aggregator-vps pair` on the VPS\n";

    private readonly string _directory = Directory.CreateTempSubdirectory("aggregator-test-").FullName;
    private readonly MovableTime _time = new();
    private PairingPort _vps = null!;

    private string VpsState => Path.Combine(_directory, "vps");

    private string GatewayState => Path.Combine(_directory, "gateway");

    public async Task InitializeAsync()
    {
        _vps = await PairingPort.StartAsync(VpsState, _time);
        await File.WriteAllTextAsync(Path.Combine(_directory, "gateway.yaml"), $"state: {GatewayState}\napi: {_directory}/gateway.sock\n");
    }

    public async Task DisposeAsync()
    {
        await _vps.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task Both_sides_store_the_others_key()
    {
        var (code, output, error) = await PairAsync(Line(name: "home"));

        error.ShouldBeEmpty();
        code.ShouldBe(ExitCode.Done);
        output.ShouldStartWith($"paired with 127.0.0.1:{_vps.Port}; it calls this gateway home\nnext: `aggregator-gateway run --config ");
        PairedNode.TryLoad(GatewayState).ShouldBe(new PairedNode(["127.0.0.1"], _vps.Port, _vps.Key.Pin, "home"));
        using var gatewayKey = IdentityKey.LoadOrCreate(GatewayState);
        new PairedGateways(VpsState).TryFind(gatewayKey.Pin, out var gateway).ShouldBeTrue();
        gateway.Name.ShouldBe("home");
    }

    [Fact]
    public async Task Without_a_name_from_the_VPS_the_gateway_is_called_as_it_wants()
    {
        (await PairAsync(Line(), "--name", "cabin")).Code.ShouldBe(ExitCode.Done);
        PairedNode.TryLoad(GatewayState).ShouldNotBeNull().GatewayName.ShouldBe("cabin");
    }

    [Fact]
    public async Task A_code_works_once_and_a_refusal_changes_nothing()
    {
        var line = Line(name: "home");
        (await PairAsync(line)).Code.ShouldBe(ExitCode.Done);
        var before = PairedNode.TryLoad(GatewayState);

        (await PairAsync(line)).ShouldBe((ExitCode.Failed, "", Refused));
        PairedNode.TryLoad(GatewayState).ShouldBe(before);
    }

    [Fact]
    public async Task An_expired_code_is_refused()
    {
        var line = Line(lifetime: TimeSpan.FromMinutes(10));
        _time.Advance(TimeSpan.FromMinutes(11));
        (await PairAsync(line)).ShouldBe((ExitCode.Failed, "", Refused));
    }

    [Fact]
    public async Task After_five_wrong_codes_even_the_right_one_waits_a_minute()
    {
        var right = Line(name: "home");
        for (int i = 0; i < 5; i++)
        {
            (await PairAsync(right with { Code = PairingCode.Create() })).ShouldBe((ExitCode.Failed, "", Refused));
        }

        (await PairAsync(right)).ShouldBe((ExitCode.Failed, "",
            "aggregator-gateway: the VPS takes no more tries from this address for now (too many wrong codes); try again in a minute\n"));
        _time.Advance(TimeSpan.FromMinutes(1));
        (await PairAsync(right)).Code.ShouldBe(ExitCode.Done);
    }

    [Fact]
    public async Task Another_servers_key_ends_it_before_the_code_is_shown()
    {
        using var other = IdentityKey.CreateEphemeral();
        var line = Line();

        var (code, _, error) = await PairAsync(line with { Pin = other.Pin });

        error.ShouldBe($"aggregator-gateway: the server at 127.0.0.1:{_vps.Port} is not the one the pairing line is for (its key is {_vps.Key.Pin}); " +
            "check the line, or get a new one with `aggregator-vps pair`\n");
        code.ShouldBe(ExitCode.Failed);
        (await PairAsync(line)).Code.ShouldBe(ExitCode.Done, "the code was not used up");
    }

    [Fact]
    public async Task Nobody_there_and_somebody_else_are_told_apart()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var line = Line() with { Port = (ushort)((IPEndPoint)listener.LocalEndpoint).Port };
        var answering = AnswerOnceAsync(listener, "SSH-2.0-OpenSSH_9.2\r\n"u8.ToArray());
        (await PairAsync(line)).Error.ShouldStartWith($"aggregator-gateway: whatever answers at 127.0.0.1:{line.Port} is not an aggregator-vps (");
        await answering;
        listener.Stop();

        (await PairAsync(line)).Error.ShouldBe($"aggregator-gateway: 127.0.0.1:{line.Port} cannot be reached (connection refused); " +
            "check host and port, the firewall, and that `aggregator-vps run` runs there\n");
    }

    [Fact]
    public async Task The_next_host_is_tried_where_the_first_is_not_there()
    {
        var line = Line();
        (await PairAsync(line with { Hosts = ["nowhere.invalid", "127.0.0.1"] })).Code.ShouldBe(ExitCode.Done);
    }

    [Fact]
    public async Task Of_several_gateways_with_one_line_one_is_paired()
    {
        var line = Line(name: "home");
        var results = await Task.WhenAll(Enumerable.Range(0, 4).Select(async i =>
        {
            using var key = IdentityKey.CreateEphemeral();
            try
            {
                return await PairingClient.PairAsync(line, key, $"g{i}", CancellationToken.None);
            }
            catch (CliException)
            {
                return null;
            }
        }));

        results.Count(r => r is not null).ShouldBe(1);
        new PairedGateways(VpsState).All.Select(g => g.Name).ShouldBe(["home"]);
    }

    [Fact]
    public async Task Pairing_again_replaces_the_node()
    {
        (await PairAsync(Line(name: "home"))).Code.ShouldBe(ExitCode.Done);
        (await PairAsync(Line(name: "cabin"))).Code.ShouldBe(ExitCode.Done);

        PairedNode.TryLoad(GatewayState).ShouldNotBeNull().GatewayName.ShouldBe("cabin");
        new PairedGateways(VpsState).All.Select(g => g.Name).ShouldBe(["cabin"]);
    }

    private PairingUri Line(string? name = null, TimeSpan? lifetime = null) => new(
        ["127.0.0.1"], _vps.Port, _vps.Key.Pin, new PairingCodes(VpsState, _time).Create(name, lifetime ?? TimeSpan.FromHours(1)));

    private async Task<(int Code, string Output, string Error)> PairAsync(PairingUri line, params string[] more)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        int code = await CommandLine.RunAsync(
            GatewayCommands.Create(), GatewayCommands.Name, ["pair", line.ToString(), "--config", Path.Combine(_directory, "gateway.yaml"), .. more], output, error);
        return (code, output.ToString(), error.ToString());
    }

    private static async Task AnswerOnceAsync(TcpListener listener, byte[] answer)
    {
        using var client = await listener.AcceptTcpClientAsync();
        await client.GetStream().WriteAsync(answer);
        // Until the other side hangs up.
        await client.GetStream().CopyToAsync(Stream.Null).ContinueWith(_ => { }, TaskScheduler.Default);
    }

    private sealed class MovableTime : TimeProvider
    {
        private TimeSpan _moved;

        public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + _moved;

        public override long GetTimestamp() => System.GetTimestamp() + (long)(_moved.TotalSeconds * TimestampFrequency);

        internal void Advance(TimeSpan time) => _moved += time;
    }
}
