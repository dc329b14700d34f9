using System.Net;
using System.Net.Http;
using System.Net.Security;
using System.Net.Sockets;
using Aggregator.Flows;
using Aggregator.Host;
using Aggregator.Identity;
using Aggregator.Relay;
using Aggregator.Vps.Cli;
using Aggregator.Vps.Configuration;
using Aggregator.Vps.Listener;
using Aggregator.Vps.Pairing;
using Aggregator.Vps.Sessions;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace Aggregator.Vps.Tests;

/// <summary>The daemon as `run` puts it together, on loopback, without touching the host's settings.</summary>
internal sealed class VpsUnderTest : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly string _directory;
    private readonly WebApplication _app;
    private readonly Socket _socket;
    private readonly Task _run;

    private VpsUnderTest(string directory, IdentityKey identity, PairedGateways paired, WebApplication app, Socket socket)
    {
        _directory = directory;
        _app = app;
        _socket = socket;
        Identity = identity;
        Paired = paired;
        _run = Port.RunAsync(socket, _stop.Token);
    }

    internal IdentityKey Identity { get; }

    internal PairedGateways Paired { get; }

    /// <summary>The local socket.</summary>
    internal string Api => Path.Combine(_directory, "api.sock");

    internal IPEndPoint EndPoint => (IPEndPoint)_socket.LocalEndPoint!;

    internal PortListener Port => _app.Services.GetRequiredService<PortListener>();

    internal GatewaySessions Sessions => _app.Services.GetRequiredService<GatewaySessions>();

    internal RelayBudget Budget => _app.Services.GetRequiredService<RelayBudget>();

    internal static async Task<VpsUnderTest> StartAsync(VpsConfig? config = null, TimeProvider? time = null)
    {
        string directory = Directory.CreateTempSubdirectory("aggregator-vps-test-").FullName;
        config = (config ?? new VpsConfig { EgressAllow = [IPNetwork.Parse("127.0.0.0/8")] }) with
        {
            Listen = new IPEndPoint(IPAddress.Loopback, 0),
            State = Path.Combine(directory, "state"),
            Api = Path.Combine(directory, "api.sock"),
        };
        var identity = IdentityKey.LoadOrCreate(config.State);
        var paired = new PairedGateways(config.State);
        var journal = HostJournal.Open(config.State);
        var app = VpsApplication.Build(Path.Combine(directory, "vps.yaml"), config, identity, paired, journal, [], time ?? TimeProvider.System);
        await app.StartAsync();
        return new VpsUnderTest(directory, identity, paired, app, ListenSocket.Open(config.Listen, _ => { }));
    }

    /// <summary>A gateway that is paired.</summary>
    internal IdentityKey Pair(string name = "home")
    {
        var key = IdentityKey.CreateEphemeral();
        Paired.Add(name, key.Pin, DateTimeOffset.UnixEpoch);
        return key;
    }

    internal async Task<Socket> DialAsync()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(EndPoint);
        return socket;
    }

    internal async Task<TlsByteStream> DialAsync(IdentityKey key, SslApplicationProtocol protocol, CancellationToken cancellationToken) =>
        await TlsByteStream.ConnectAsync(await DialAsync(), PinnedTls.ClientOptions(key, Identity.Pin, protocol), cancellationToken);

    /// <summary>A data connection, greeted.</summary>
    internal async Task<TlsByteStream> LaneAsync(IdentityKey key, CancellationToken cancellationToken)
    {
        var stream = await DialAsync(key, PinnedTls.Lane, cancellationToken);
        var greeting = await FlowClient.ReadGreetingAsync(stream, cancellationToken);
        return greeting == GreetingStatus.Ready ? stream : throw new IOException("busy");
    }

    internal GrpcChannel Channel(IdentityKey key) => GrpcChannel.ForAddress("http://vps", new GrpcChannelOptions
    {
        DisposeHttpClient = true,
        HttpHandler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancellation) => (await DialAsync(key, PinnedTls.Grpc, cancellation)).Tls,
        },
    });

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _run;
        await _app.StopAsync();
        await _app.DisposeAsync();
        _socket.Dispose();
        Identity.Dispose();
        _stop.Dispose();
        Directory.Delete(_directory, recursive: true);
    }
}
