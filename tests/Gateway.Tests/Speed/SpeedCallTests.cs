using System.Net;
using System.Net.Sockets;
using Aggregator.Gateway.Node;
using Aggregator.Gateway.Speed;
using Aggregator.Identity;
using Aggregator.Protocol.V1;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Shouldly;
using Xunit;

using GrpcStatus = Grpc.Core.Status;

namespace Aggregator.Gateway.Tests.Speed;

/// <summary>The call of a test to VPSs that cannot do it: each said in one sentence.</summary>
public sealed class SpeedCallTests
{
    [Fact]
    public async Task A_vps_without_the_service_is_too_old()
    {
        await using WebApplication old = await StartAsync(_ => { });
        SpeedException e = await FailsAsync(new To(Port(old)), "0.0.9");
        e.Failure.ShouldBe(SpeedFailure.NoVps);
        e.Message.ShouldBe("the VPS is too old for speed tests (version 0.0.9): update it");
        (await FailsAsync(new To(Port(old)), null)).Message.ShouldContain("version unknown");
    }

    [Fact]
    public async Task A_vps_that_is_busy_or_says_nothing_or_is_not_there_is_told_apart()
    {
        await using WebApplication busy = await StartAsync(app => app.MapGrpcService<Busy>());
        SpeedException e = await FailsAsync(new To(Port(busy)), "1");
        e.Failure.ShouldBe(SpeedFailure.Busy);
        e.Message.ShouldContain("runs already");

        await using WebApplication mute = await StartAsync(app => app.MapGrpcService<Mute>());
        (await FailsAsync(new To(Port(mute)), "1")).Message.ShouldContain("without a word");

        (await FailsAsync(new Nobody(), "1")).Message.ShouldBe("the VPS cannot be reached: no WAN is up that can reach it");
    }

    [Fact]
    public void An_end_that_the_writing_hears_of_first_is_told_as_one_that_the_reading_hears_of() =>
        SpeedCall.Explain(new RpcException(new GrpcStatus(StatusCode.OK, "")), null, "1").Message.ShouldBe("the VPS ended the test without a word");

    private static async Task<SpeedException> FailsAsync(INodeDialer dialer, string? version)
    {
        var node = new PairedNode(["127.0.0.1"], 1, default, "home");
        return await Should.ThrowAsync<SpeedException>(SpeedCall.BeginAsync(dialer, node, version, new SpeedClock(TimeProvider.System), CancellationToken.None));
    }

    private static async Task<WebApplication> StartAsync(Action<WebApplication> map)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0, o => o.Protocols = HttpProtocols.Http2));
        builder.Services.AddGrpc();
        builder.Services.AddSingleton<Busy>();
        builder.Services.AddSingleton<Mute>();
        WebApplication app = builder.Build();
        map(app);
        await app.StartAsync();
        return app;
    }

    private static int Port(WebApplication app) =>
        new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()).Port;

    private sealed class To(int port) : INodeDialer
    {
        public async ValueTask<Stream> DialAsync(PairedNode node, CancellationToken cancellationToken)
        {
            var client = new TcpClient();
            await client.ConnectAsync(IPAddress.Loopback, port, cancellationToken);
            return client.GetStream();
        }
    }

    private sealed class Nobody : INodeDialer
    {
        public ValueTask<Stream> DialAsync(PairedNode node, CancellationToken cancellationToken) => throw new IOException("no WAN is up that can reach it");
    }

    private sealed class Busy : SpeedTest.SpeedTestBase
    {
        public override Task Run(IAsyncStreamReader<SpeedRunRequest> requestStream, IServerStreamWriter<SpeedRunReport> responseStream, ServerCallContext context) =>
            throw new RpcException(new GrpcStatus(StatusCode.ResourceExhausted, "one runs"));
    }

    private sealed class Mute : SpeedTest.SpeedTestBase
    {
        public override Task Run(IAsyncStreamReader<SpeedRunRequest> requestStream, IServerStreamWriter<SpeedRunReport> responseStream, ServerCallContext context) => Task.CompletedTask;
    }
}
