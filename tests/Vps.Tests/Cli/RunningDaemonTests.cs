using System.Text.Json;
using Aggregator.Cli;
using Aggregator.Identity;
using Aggregator.Protocol.V1;
using Aggregator.Vps.Cli;
using Aggregator.Vps.Pairing;
using Aggregator.Vps.Tests.Pairing;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Shouldly;
using Xunit;

namespace Aggregator.Vps.Tests.Cli;

/// <summary>Commands that talk to a daemon, over a real Unix socket and gRPC; what the daemon does of it is told by its own tests.</summary>
public sealed class RunningDaemonTests : IAsyncLifetime
{
    private readonly TemporaryDirectory _directory = new();
    private readonly Daemon _daemon = new();
    private readonly IdentityKey _gateway = IdentityKey.CreateEphemeral();
    private WebApplication _app = null!;

    private string Config => _directory["vps.yaml"];

    public async Task InitializeAsync()
    {
        await File.WriteAllTextAsync(Config, $"public: [a.example]\nstate: {_directory["state"]}\napi: {_directory["vps.sock"]}\n");
        new PairedGateways(_directory["state"]).Add("home", _gateway.Pin, DateTimeOffset.UnixEpoch);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(_daemon);
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenUnixSocket(_directory["vps.sock"], listen => listen.Protocols = HttpProtocols.Http2));
        _app = builder.Build();
        _app.MapGrpcService<Daemon>();
        await _app.StartAsync();
    }

    public async Task DisposeAsync()
    {
        await _app.DisposeAsync();
        _gateway.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task Revoke_forgets_the_key_before_the_daemon_ends_the_sessions()
    {
        bool known = true;
        _daemon.OnEnd = _ => known = new PairedGateways(_directory["state"]).TryFind(_gateway.Pin, out var _);

        (await RunAsync("revoke", "home", "--config", Config)).ShouldBe((ExitCode.Done, "home is revoked; connections ended: 3\n", ""));

        _daemon.Ended.ShouldBe(["home"]);
        known.ShouldBeFalse("a gateway that comes back at once must not be let in");
    }

    [Fact]
    public async Task Revoke_says_so_when_the_daemon_fails()
    {
        _daemon.OnEnd = _ => throw new RpcException(new Grpc.Core.Status(StatusCode.Internal, "trouble"));
        var (code, _, error) = await RunAsync("revoke", "home", "--config", Config);
        error.ShouldBe("aggregator-vps: home is revoked, but the daemon could not be told to end what it has open (Internal: trouble); restart it\n");
        code.ShouldBe(ExitCode.Failed);
    }

    [Fact]
    public async Task Gateways_tells_who_is_connected()
    {
        using var json = JsonDocument.Parse((await RunAsync("gateways", "--json", "--config", Config)).Output);
        var gateway = json.RootElement.GetProperty("gateways")[0];
        gateway.GetProperty("connected").GetBoolean().ShouldBeTrue();
        gateway.GetProperty("address").GetString().ShouldBe("192.0.2.1");
        (await RunAsync("gateways", "--config", Config)).Output.ShouldBe("home  paired 1970-01-01 00:00Z  connected from 192.0.2.1\n");
    }

    [Fact]
    public async Task A_socket_that_nobody_listens_on_is_no_daemon()
    {
        await _app.StopAsync();
        await File.WriteAllTextAsync(_directory["vps.sock"], "left over");
        (await LocalClient.TryConnectAsync(_directory["vps.sock"], CancellationToken.None)).ShouldBeNull();
        var e = await Should.ThrowAsync<CliException>(() => LocalClient.ConnectAsync(_directory["vps.sock"], "aggregator-vps run", CancellationToken.None));
        e.ExitCode.ShouldBe(ExitCode.NotRunning);
        e.Message.ShouldBe($"the daemon is not running (no answer on {_directory["vps.sock"]}); start it with `aggregator-vps run`");
    }

    private static async Task<(int Code, string Output, string Error)> RunAsync(params string[] arguments)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        int code = await CommandLine.RunAsync(RootCommandFactory.Create(), RootCommandFactory.Name, arguments, output, error);
        return (code, output.ToString(), error.ToString());
    }

    private sealed class Daemon : VpsLocal.VpsLocalBase
    {
        internal List<string> Ended { get; } = [];

        internal Action<string>? OnEnd { get; set; }

        public override Task<EndGatewayReply> EndGateway(EndGatewayRequest request, ServerCallContext context)
        {
            OnEnd?.Invoke(request.Name);
            Ended.Add(request.Name);
            return Task.FromResult(new EndGatewayReply { ConnectionsEnded = 3 });
        }

        public override Task<VpsStatus> GetStatus(StatusRequest request, ServerCallContext context) => Task.FromResult(new VpsStatus
        {
            Gateways = { new GatewaySession { Name = "home", Connected = true, Address = "192.0.2.1" } },
        });
    }
}
