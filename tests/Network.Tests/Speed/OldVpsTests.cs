using System.Net.Sockets;
using System.Text.Json;
using Aggregator.Host;
using Aggregator.Identity;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Aggregator.Network.Tests.Lab;
using Aggregator.Network.Tests.Scenarios;
using Aggregator.Processes;
using Aggregator.Vps.Cli;
using Aggregator.Vps.Configuration;
using Aggregator.Vps.Listener;
using Aggregator.Vps.Pairing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Aggregator.Network.Tests.Speed;

/// <summary>The real gateway with a VPS of an earlier version, which knows pairing and sessions and nothing of speed tests, health or doctor.</summary>
[Collection(ScenarioCollection.Name)]
public sealed class OldVpsTests(ITestOutputHelper output)
{
    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task It_is_said_to_be_too_old_and_stays_connected(bool refusesWhatItDoesNotKnow)
    {
        await using NetworkLab lab = await LabTest.CreateAsync(new LabSpec { Wans = [.. Scene.TwoWans] });
        await using AggregatorUnderTest product = await AggregatorUnderTest.PrepareAsync(lab);
        await using OldVps vps = await OldVps.StartAsync(product, refusesWhatItDoesNotKnow);
        await product.PairAsync();
        product.StartGateway();
        await product.WaitForConnectedAsync();

        ToolResult speedtest = await product.GatewayCommandAsync("speedtest", "--json");
        output.WriteLine($"{speedtest.ExitCode}: {speedtest.Error}");
        speedtest.ExitCode.ShouldBe(1);
        speedtest.Error.Trim().ShouldContain("the VPS is too old for speed tests (version ");
        speedtest.Error.Trim().ShouldNotContain('\n');

        ToolResult doctor = await product.GatewayCommandAsync("doctor", "--json");
        output.WriteLine(doctor.Output);
        using JsonDocument document = JsonDocument.Parse(doctor.OutputOrThrow());
        JsonElement[] checks = [.. document.RootElement.GetProperty("checks").EnumerateArray()];
        checks.ShouldContain(c => c.Text("finding")!.Contains("older than this gateway", StringComparison.Ordinal));
        checks.Single(c => c.Text("id") == "vps-health").Text("result").ShouldBe("skip");

        // And nobody is unpaired or disconnected by its answers.
        JsonElement status = await product.StatusAsync();
        status.GetProperty("node").Text("state").ShouldBe("connected");
        status.GetProperty("vps").ValueKind.ShouldBe(JsonValueKind.Null);
    }

    /// <summary>Today's daemon in this process, on the lab's VPS, without the services that came later.</summary>
    private sealed class OldVps : IAsyncDisposable
    {
        private static readonly string[] Later = ["/aggregator.v1.SpeedTest/", "/aggregator.v1.HealthReports/", "/aggregator.v1.Diagnosis/", "/aggregator.v1.Packets/"];

        private readonly CancellationTokenSource _stop = new();
        private readonly WebApplication _app;
        private readonly IdentityKey _identity;
        private readonly Socket _socket;
        private readonly Task _run;

        private OldVps(WebApplication app, IdentityKey identity, Socket socket)
        {
            (_app, _identity, _socket) = (app, identity, socket);
            _run = app.Services.GetRequiredService<PortListener>().RunAsync(socket, _stop.Token);
        }

        internal static async Task<OldVps> StartAsync(AggregatorUnderTest product, bool refuses)
        {
            VpsConfig config = VpsSettings.Load(product.VpsConfig);
            IdentityKey identity = IdentityKey.LoadOrCreate(config.State);
            WebApplication app = VpsApplication.Build(
                product.VpsConfig, config, identity, new PairedGateways(config.State), HostJournal.Open(config.State), [], TimeProvider.System);
            app.Use((context, next) =>
            {
                if (!Later.Any(s => context.Request.Path.Value!.StartsWith(s, StringComparison.Ordinal)))
                {
                    return next(context);
                }

                if (refuses)
                {
                    // The gate of the first versions knew a list of services, and no others.
                    context.Response.ContentType = "application/grpc";
                    context.Response.Headers["grpc-status"] = "16";
                    context.Response.Headers["grpc-message"] = "this gateway is not paired";
                    return Task.CompletedTask;
                }

                context.SetEndpoint(null);
                return next(context);
            });
            await app.StartAsync();
            return new OldVps(app, identity, product.Lab.Vps.InNamespace(() => ListenSocket.Open(config.Listen, _ => { })));
        }

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _run;
            await _app.StopAsync();
            await _app.DisposeAsync();
            _socket.Dispose();
            _identity.Dispose();
            _stop.Dispose();
        }
    }
}
