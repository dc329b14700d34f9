using Aggregator.Vps.Status;
using Aggregator.Health;
using Aggregator.DnsWire;
using Aggregator.Flows;
using Aggregator.Host;
using Aggregator.Hosting;
using Aggregator.Identity;
using Aggregator.Relay;
using Aggregator.Trunk;
using Aggregator.Speed;
using Aggregator.Vps.Api;
using Aggregator.Vps.Apply;
using Aggregator.Vps.Configuration;
using Aggregator.Vps.Diagnosis;
using Aggregator.Vps.Egress;
using Aggregator.Vps.Health;
using Aggregator.Vps.Listener;
using Aggregator.Vps.Packets;
using Aggregator.Vps.Pairing;
using Aggregator.Vps.Resolver;
using Aggregator.Vps.Sessions;
using Aggregator.Vps.Speed;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Aggregator.Vps.Cli;

/// <summary>The daemon's rooms put together; nothing runs yet and nothing of the host is touched.</summary>
internal static class VpsApplication
{
    internal static WebApplication Build(
        string configPath,
        VpsConfig config,
        IdentityKey identity,
        PairedGateways paired,
        HostJournal journal,
        IReadOnlyList<string> warnings,
        TimeProvider time)
    {
        // The empty builder: no configuration from the environment, no file watchers, only what is named here.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = RootCommandFactory.Name });
        DaemonLogging.Configure(builder.Logging);
        // What a stranger does to HTTP/2 is no line in the log, let alone one with a stack trace: they could fill the disk with them.
        builder.Logging.AddFilter("Microsoft.AspNetCore.Server.Kestrel", LogLevel.None);
        builder.WebHost.UseKestrelCore();
        builder.WebHost.ListenLocalApi(config.Api);
        builder.WebHost.ConfigureKestrel(Limit);

        var services = builder.Services;
        services.AddRouting();
        services.AddGrpc(grpc => grpc.MaxReceiveMessageSize = MaxMessageBytes);
        services.AddSingleton(time);
        services.AddSingleton(identity);
        services.AddSingleton(paired);
        services.AddSingleton(new VpsConfigSource(config));
        services.AddSingleton<KestrelHandoff>();
        services.AddSingleton<IConnectionListenerFactory>(s => s.GetRequiredService<KestrelHandoff>());

        services.AddSingleton(s => new PairingCodes(config.State, s.GetRequiredService<TimeProvider>()));
        services.AddSingleton<PairingRateLimit>();
        services.AddSingleton(s => new PairingDesk(
            s.GetRequiredService<PairingCodes>(),
            paired,
            s.GetRequiredService<PairingRateLimit>(),
            identity.Pin,
            s.GetRequiredService<TimeProvider>(),
            s.GetRequiredService<ILogger<PairingDesk>>()));

        services.AddSingleton<IOwnAddresses, OwnAddresses>();
        services.AddSingleton<INameResolver, NameResolver>();
        services.AddSingleton<EgressPolicySource>();
        services.AddSingleton<BuiltInTargets>();
        services.AddSingleton<TcpMemoryShare>();
        services.AddSingleton<Dialer>();
        var servers = new OwnServers();
        services.AddSingleton(s => new NameService(
            () => servers.Current, new HostsFile(), s.GetRequiredService<TimeProvider>(), s.GetRequiredService<ILogger<NameService>>()));
        services.AddSingleton(RelayBudget.ForMemory(ProcessMemory.TotalBytes(new HostFiles())));
        services.AddSingleton<GatewaySessions>();
        services.AddSingleton<PlainSessions>();
        services.AddMetrics();
        services.AddSingleton<SessionMetrics>();
        services.AddSingleton<FlowServer>();
        services.AddSingleton<SpeedRuns>();
        services.AddSingleton<SpeedServer>();
        services.AddSingleton(TrunkBudget.ForMemory(ProcessMemory.TotalBytes(new HostFiles())));
        services.AddSingleton<TrunkRegistry>();
        services.AddSingleton<TrunkServer>();
        services.AddSingleton<PortListener>();
        services.AddSingleton<EchoDesk>();
        services.AddSingleton<IPacketHost>(s => s.GetRequiredService<PacketNetwork>());
        services.AddSingleton<UdpServer>();
        services.AddSingleton<PacketDesk>();
        services.AddSingleton(s => new PacketNetwork(journal, s.GetRequiredService<HostSettings>()));

        services.AddSingleton(new HostFiles());
        services.AddSingleton<ClockBoard>();
        // The host's counters run by the host's clock, also where a test moves the daemon's.
        services.AddSingleton(s => new HealthMonitor(
            s.GetRequiredService<HostFiles>(),
            new GatewayLoads(s.GetRequiredService<GatewaySessions>(), TimeProvider.System),
            s.GetRequiredService<ClockBoard>(),
            TimeProvider.System,
            s.GetRequiredService<ILogger<HealthMonitor>>()));
        services.AddHostedService(s => s.GetRequiredService<HealthMonitor>());
        services.AddHostedService(s =>
        {
            var relays = s.GetRequiredService<RelayBudget>();
            var trunks = s.GetRequiredService<TrunkBudget>();
            return new MemoryGuard(
                s.GetRequiredService<HostFiles>(),
                TimeProvider.System,
                s.GetRequiredService<ILogger<MemoryGuard>>(),
                now => relays.Adapt(now.Share, now.State == MemoryState.Critical),
                trunks.Adapt);
        });

        services.AddSingleton(s => new HostSettings(journal, s.GetRequiredService<ILogger<HostSettings>>()));
        services.AddSingleton(s => new StatusReader(
            s.GetRequiredService<GatewaySessions>(), paired, s.GetRequiredService<HostSettings>(), s.GetRequiredService<PacketDesk>(), identity.Pin, warnings, s.GetRequiredService<TimeProvider>()));
        services.AddSingleton(s => new Reloader(
            configPath, s.GetRequiredService<VpsConfigSource>(), s.GetRequiredService<GatewaySessions>(), s.GetRequiredService<ILogger<Reloader>>()));

        var app = builder.Build();
        var speed = app.Services.GetRequiredService<SpeedServer>();
        app.Services.GetRequiredService<BuiltInTargets>().Add(
            new FlowTarget(SpeedProtocol.FlowName, SpeedProtocol.FlowPort),
            socket => _ = speed.ServeAsync(new SocketByteStream(socket), socket, pin: null, app.Lifetime.ApplicationStopping));
        var names = app.Services.GetRequiredService<NameService>();
        app.Services.GetRequiredService<BuiltInTargets>().Add(
            NameProtocol.Target, socket => _ = names.ServeAsync(socket, app.Lifetime.ApplicationStopping));
        // Nobody else asks for it.
        _ = app.Services.GetRequiredService<SessionMetrics>();
        app.UseMiddleware<PeerGate>();
        app.UseRouting();
        app.MapGrpcService<PairingService>();
        app.MapGrpcService<ControlService>();
        app.MapGrpcService<DiagnosisService>();
        app.MapGrpcService<SpeedService>();
        app.MapGrpcService<HealthReportsService>();
        app.MapGrpcService<PacketsService>();
        app.MapGrpcService<DatagramLanesService>();
        app.MapGrpcService<VpsLocalService>();
        app.MapGrpcService<HealthLocalService>();
        app.MapGrpcService<TuneLocalService>();
        return app;
    }

    /// <summary>
    /// Every request of these services is far smaller. What a stranger may make this process hold is this for each of his streams, not 4 MiB.
    /// </summary>
    private const int MaxMessageBytes = 64 * 1024;

    /// <summary>HTTP/2 for peers of whom at most a pairing and one long call are wanted; unknown ones are here too.</summary>
    private static void Limit(KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;
        kestrel.Listen(HandoffEndPoint.Instance, port => port.Protocols = HttpProtocols.Http2);
        var limits = kestrel.Limits;
        limits.MaxRequestHeadersTotalSize = 8 * 1024;
        limits.MaxRequestHeaderCount = 32;
        limits.RequestHeadersTimeout = PortListener.HandshakeTime;
        // The session's request never ends and is silent most of the time; bodies are bounded by MaxMessageBytes.
        limits.MaxRequestBodySize = null;
        limits.MinRequestBodyDataRate = null;
        limits.MinResponseDataRate = null;
        limits.Http2.MaxStreamsPerConnection = 8;
        limits.Http2.HeaderTableSize = 4 * 1024;
        limits.Http2.InitialConnectionWindowSize = 128 * 1024;
        limits.Http2.InitialStreamWindowSize = 96 * 1024;
        // A gateway that is gone is noticed after 30 + 60 s; one that is silent for less survives.
        limits.Http2.KeepAlivePingDelay = TimeSpan.FromSeconds(30);
        limits.Http2.KeepAlivePingTimeout = TimeSpan.FromSeconds(60);
    }
}
