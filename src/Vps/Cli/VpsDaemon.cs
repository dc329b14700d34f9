using System.Net.Sockets;
using System.Runtime.InteropServices;
using Aggregator.Cli;
using Aggregator.Host;
using Aggregator.Hosting;
using Aggregator.Identity;
using Aggregator.Relay;
using Aggregator.Vps.Api;
using Aggregator.Vps.Apply;
using Aggregator.Vps.Configuration;
using Aggregator.Vps.Egress;
using Aggregator.Vps.Listener;
using Aggregator.Vps.Pairing;
using Aggregator.Vps.Sessions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Aggregator.Vps.Cli;

/// <summary>
/// `run`: puts the rooms together and keeps them up until it is told to stop.
/// Lock → journal → port → host settings → Kestrel (Unix socket and handed-over connections) → accept; back in the opposite order.
/// </summary>
internal static class VpsDaemon
{
    /// <summary>For connections of Kestrel's that do not end by themselves.</summary>
    private static readonly TimeSpan StopTime = TimeSpan.FromSeconds(3);

    /// <returns>When <paramref name="stop"/> has fired and all is put back.</returns>
    /// <exception cref="CliException">It cannot start; one line.</exception>
    internal static async Task RunAsync(string configPath, CancellationToken stop)
    {
        var config = VpsSettings.Load(configPath);
        using var instance = InstanceLock.TryTake(config.State)
            ?? throw new CliException($"another aggregator-vps uses {config.State} already; stop it, or give this one its own `state` and `api`");
        using var identity = IdentityKey.LoadOrCreate(config.State);
        var paired = new PairedGateways(config.State);
        var journal = HostJournal.Open(config.State);
        List<string> warnings = [];
        using var port = Open(config, warnings);

        await using var app = Build(configPath, config, identity, paired, journal, warnings);
        var services = app.Services;
        var logger = services.GetRequiredService<ILoggerFactory>().CreateLogger("Aggregator.Vps");
        var host = services.GetRequiredService<HostSettings>();
        await host.ApplyAsync(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes, stop);
        try
        {
            await StartAsync(app, config, stop);
            services.GetRequiredService<StatusReader>().Listen = port.LocalEndPoint;
            warnings.ForEach(logger.ListenWarning);
            logger.Started(ProductVersion.Text, identity.Pin.ToString());
            logger.Listening(port.LocalEndPoint!, warnings.Count == 0 ? "MPTCP and TCP" : "see the warnings");

            var reloader = services.GetRequiredService<Reloader>();
            using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, signal =>
            {
                signal.Cancel = true;
                reloader.Reload();
            });
            await services.GetRequiredService<PortListener>().RunAsync(port, stop);
        }
        finally
        {
            using var limit = new CancellationTokenSource(StopTime);
            await app.StopAsync(limit.Token);
            await host.RestoreAsync(CancellationToken.None);
            logger.Stopped();
        }
    }

    private static Socket Open(VpsConfig config, List<string> warnings)
    {
        try
        {
            return ListenSocket.Open(config.Listen, warnings.Add);
        }
        catch (ListenException e)
        {
            throw new CliException(e.Message, inner: e);
        }
    }

    private static async Task StartAsync(WebApplication app, VpsConfig config, CancellationToken stop)
    {
        try
        {
            await app.StartAsync(stop);
        }
        catch (Exception e) when (e is IOException or SocketException or UnauthorizedAccessException)
        {
            throw new CliException($"the local socket {config.Api} cannot be opened: {e.Message}; see `api` in the configuration", inner: e);
        }
    }

    private static WebApplication Build(
        string configPath, VpsConfig config, IdentityKey identity, PairedGateways paired, HostJournal journal, List<string> warnings)
    {
        // The empty builder: no configuration from the environment, no file watchers, only what is named here.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = RootCommandFactory.Name });
        Log(builder.Logging);
        builder.WebHost.UseKestrelCore();
        builder.WebHost.ListenLocalApi(config.Api);
        builder.WebHost.ConfigureKestrel(Limit);

        var services = builder.Services;
        services.AddRouting();
        services.AddGrpc();
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton(identity);
        services.AddSingleton(paired);
        services.AddSingleton(new VpsConfigSource(config));
        services.AddSingleton<KestrelHandoff>();
        services.AddSingleton<Microsoft.AspNetCore.Connections.IConnectionListenerFactory>(s => s.GetRequiredService<KestrelHandoff>());

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
        services.AddSingleton<Dialer>();
        services.AddSingleton(RelayBudget.ForMemory(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes));
        services.AddSingleton<GatewaySessions>();
        services.AddSingleton<PlainSessions>();
        services.AddSingleton<FlowServer>();
        services.AddSingleton<PortListener>();

        services.AddSingleton(s => new HostSettings(journal, s.GetRequiredService<ILogger<HostSettings>>()));
        services.AddSingleton(s => new StatusReader(
            s.GetRequiredService<GatewaySessions>(), paired, s.GetRequiredService<HostSettings>(), identity.Pin, warnings, s.GetRequiredService<TimeProvider>()));
        services.AddSingleton(s => new Reloader(
            configPath, s.GetRequiredService<VpsConfigSource>(), s.GetRequiredService<GatewaySessions>(), s.GetRequiredService<ILogger<Reloader>>()));

        var app = builder.Build();
        app.UseMiddleware<PeerGate>();
        app.UseRouting();
        app.MapGrpcService<PairingService>();
        app.MapGrpcService<ControlService>();
        app.MapGrpcService<VpsLocalService>();
        return app;
    }

    private static void Log(ILoggingBuilder logging)
    {
        logging.SetMinimumLevel(LogLevel.Information);
        logging.AddFilter("Microsoft", LogLevel.Warning);
        logging.AddSimpleConsole(console => console.SingleLine = true);
        logging.Services.Configure<Microsoft.Extensions.Logging.Console.ConsoleLoggerOptions>(
            console => console.LogToStandardErrorThreshold = LogLevel.Trace);
    }

    /// <summary>HTTP/2 for peers of whom at most a pairing and one long call are wanted; unknown ones are here too.</summary>
    private static void Limit(KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;
        kestrel.Listen(HandoffEndPoint.Instance, port => port.Protocols = HttpProtocols.Http2);
        var limits = kestrel.Limits;
        limits.MaxRequestHeadersTotalSize = 8 * 1024;
        limits.MaxRequestHeaderCount = 32;
        limits.RequestHeadersTimeout = PortListener.HandshakeTime;
        // The session's request never ends and is silent most of the time; bodies are bounded by the 4 MiB of a gRPC message.
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
