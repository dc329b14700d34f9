using Aggregator.Vps.Status;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Aggregator.Cli;
using Aggregator.Health;
using Aggregator.Host;
using Aggregator.Hosting;
using Aggregator.Identity;
using Aggregator.Vps.Api;
using Aggregator.Vps.Apply;
using Aggregator.Vps.Configuration;
using Aggregator.Vps.Listener;
using Aggregator.Vps.Packets;
using Aggregator.Vps.Pairing;
using Microsoft.AspNetCore.Builder;
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
        long? heap = ProcessMemory.LimitHeap(new HostFiles());
        var config = VpsSettings.Load(configPath);
        using var instance = InstanceLock.TryTake(config.State)
            ?? throw new CliException($"another aggregator-vps uses {config.State} already; stop it, or give this one its own `state` and `api`");
        using var identity = IdentityKey.LoadOrCreate(config.State);
        var paired = new PairedGateways(config.State);
        var journal = HostJournal.Open(config.State);
        List<string> warnings = [];
        using var port = Open(config, journal, warnings);

        await using var app = VpsApplication.Build(configPath, config, identity, paired, journal, warnings, TimeProvider.System);
        var services = app.Services;
        var logger = services.GetRequiredService<ILoggerFactory>().CreateLogger("Aggregator.Vps");
        if (heap is { } bytes)
        {
            logger.HeapLimited(bytes / 1_000_000, ProcessMemory.TotalBytes(new HostFiles()) / 1_000_000);
        }

        var host = services.GetRequiredService<HostSettings>();
        await host.ApplyAsync(ProcessMemory.TotalBytes(new HostFiles()), stop);
        // What a daemon that was killed left.
        await services.GetRequiredService<PacketNetwork>().RemoveAsync(stop);
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
            // Nobody accepts any more: whoever dials is to hear so at once, and not to wait in the kernel's queue for our end.
            port.Dispose();
            using var limit = new CancellationTokenSource(StopTime);
            await app.StopAsync(limit.Token);
            await services.GetRequiredService<PacketDesk>().DisposeAsync();
            await services.GetRequiredService<PacketNetwork>().RemoveAsync(CancellationToken.None);
            await host.RestoreAsync(CancellationToken.None);
            logger.Stopped();
        }
    }

    private static Socket Open(VpsConfig config, HostJournal journal, List<string> warnings)
    {
        // HostSettings, with the same journal, takes it back as soon as it applies the lasting settings.
        var sysctls = new HostSysctls(journal, new SysctlFiles());
        sysctls.Apply(WantedSettings.WhileOpening(ProcessMemory.TotalBytes(new HostFiles())));
        try
        {
            return ListenSocket.Open(config.Listen, warnings.Add);
        }
        catch (ListenException e)
        {
            sysctls.Restore();
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
}
