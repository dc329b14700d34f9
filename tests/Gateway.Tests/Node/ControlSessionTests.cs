using System.Net;
using System.Net.Sockets;
using Aggregator.Gateway.Node;
using Aggregator.Protocol.V1;
using Google.Protobuf;
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

namespace Aggregator.Gateway.Tests.Node;

/// <summary>The gateway's side of the control session against a VPS of flesh that behaves as each test wants.</summary>
public sealed class ControlSessionTests : IAsyncLifetime
{
    private readonly FakeVps _vps = new();
    private WebApplication? _server;
    private int _port;

    public async Task InitializeAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0, o => o.Protocols = HttpProtocols.Http2));
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(_vps);
        builder.Services.AddSingleton<FakeControl>();
        _server = builder.Build();
        _server.MapGrpcService<FakeControl>();
        await _server.StartAsync();
        var addresses = _server.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses;
        _port = new Uri(addresses.Single()).Port;
    }

    public async Task DisposeAsync() => await _server!.DisposeAsync();

    [Fact]
    public async Task Hello_is_answered_and_pings_are_timed()
    {
        using var ending = new CancellationTokenSource();
        var welcomed = new TaskCompletionSource<Welcome>();
        var timed = new TaskCompletionSource<TimeSpan>();
        var session = new ControlSession(DialAsync, TimeProvider.System);
        Task<string> running = session.RunAsync("1.2.3", w => welcomed.TrySetResult(w), rtt => timed.TrySetResult(rtt), ending.Token);

        (await welcomed.Task.WaitAsync(Patience)).Version.ShouldBe("9.9.9");
        (await timed.Task.WaitAsync(Patience)).ShouldBeGreaterThan(TimeSpan.Zero);
        _vps.SeenVersion.ShouldBe("1.2.3");

        await ending.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(running.WaitAsync(Patience));
    }

    [Fact]
    public async Task A_session_that_the_vps_ends_says_so()
    {
        _vps.EndAfterWelcome = true;
        (await RunAsync()).ShouldContain("ended the session");
    }

    [Fact]
    public async Task A_revoked_gateway_is_told_to_pair_again()
    {
        _vps.Refusal = new Grpc.Core.Status(StatusCode.Unauthenticated, "unknown key");
        (await RunAsync()).ShouldContain("pair it again");
    }

    [Fact]
    public async Task Another_flow_protocol_is_named_with_both_numbers()
    {
        _vps.FlowProtocol = 77;
        string reason = await RunAsync();
        reason.ShouldContain("77");
        reason.ShouldContain("update");
    }

    [Fact]
    public async Task A_vps_that_speaks_out_of_turn_is_left()
    {
        _vps.PongFirst = true;
        (await RunAsync()).ShouldContain("not Welcome");
    }

    [Fact]
    public async Task Nobody_there_is_a_reason_too()
    {
        await _server!.StopAsync();
        string reason = await RunAsync();
        reason.ShouldNotBeNullOrWhiteSpace();
    }

    private static TimeSpan Patience => TimeSpan.FromSeconds(30);

    private Task<string> RunAsync() =>
        new ControlSession(DialAsync, TimeProvider.System).RunAsync("1.2.3", _ => { }, _ => { }, CancellationToken.None).WaitAsync(Patience);

    private async ValueTask<Stream> DialAsync(CancellationToken cancellationToken)
    {
        var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, _port, cancellationToken);
        return client.GetStream();
    }

    internal sealed class FakeVps
    {
        internal uint FlowProtocol { get; set; } = ControlSession.FlowProtocolVersion;

        internal bool EndAfterWelcome { get; set; }

        internal bool PongFirst { get; set; }

        internal Grpc.Core.Status? Refusal { get; set; }

        internal string? SeenVersion { get; set; }
    }

    internal sealed class FakeControl(FakeVps vps) : Control.ControlBase
    {
        public override async Task Session(
            IAsyncStreamReader<GatewayMessage> requestStream, IServerStreamWriter<VpsMessage> responseStream, ServerCallContext context)
        {
            if (vps.Refusal is { } refusal)
            {
                throw new RpcException(refusal);
            }

            await requestStream.MoveNext(context.CancellationToken);
            vps.SeenVersion = requestStream.Current.Hello.Version;
            if (vps.PongFirst)
            {
                await responseStream.WriteAsync(new VpsMessage { Pong = new Pong { Sequence = 1 } });
                return;
            }

            await responseStream.WriteAsync(new VpsMessage
            {
                Welcome = new Welcome { Version = "9.9.9", FlowProtocol = vps.FlowProtocol, SessionId = ByteString.Empty },
            });
            while (!vps.EndAfterWelcome && await requestStream.MoveNext(context.CancellationToken))
            {
                await responseStream.WriteAsync(new VpsMessage { Pong = new Pong { Sequence = requestStream.Current.Ping.Sequence } });
            }
        }
    }
}
