using System.Net.Sockets;
using System.Runtime.InteropServices;
using Aggregator.Cli;
using Aggregator.DnsWire;
using Aggregator.Gateway.Api;
using Aggregator.Gateway.Carriers;
using Aggregator.Gateway.Cli;
using Aggregator.Gateway.Clients;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Direct;
using Aggregator.Gateway.Events;
using Aggregator.Gateway.Doctor;
using Aggregator.Gateway.Ingress;
using Aggregator.Gateway.Lanes;
using Aggregator.Gateway.Links;
using Aggregator.Gateway.Node;
using Aggregator.Gateway.Packets;
using Aggregator.Gateway.Policy;
using Aggregator.Gateway.Portals;
using Aggregator.Gateway.Resolver;
using Aggregator.Gateway.Roles;
using Aggregator.Gateway.Speed;
using Aggregator.Gateway.Status;
using Aggregator.Host;
using Aggregator.Health;
using Aggregator.Hosting;
using Aggregator.Identity;
using Aggregator.Packets;
using Aggregator.Protocol.V1;
using Aggregator.Relay;
using Aggregator.Settings;
using Aggregator.Trunk;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

using HostFiles = Aggregator.Health.HostFiles;

namespace Aggregator.Gateway;

/// <summary>
/// The composition root of `run`: makes every room's objects, starts them in the order in which they need each other, and ends them in
/// the opposite one. Start: lock → host (routes, endpoints) → node and carrier → ingress → TPROXY rules → local API. So no client's
/// packet is led to a listener that is not there, neither at the start nor at the end.
/// </summary>
internal static class GatewayDaemon
{
    /// <summary>A name server that works answers in less.</summary>
    private static readonly TimeSpan LookUpTime = TimeSpan.FromSeconds(1);

    internal static async Task RunAsync(GatewayConfig config, CancellationToken cancellationToken)
    {
        using InstanceLock? instance = InstanceLock.TryTake(config.State);
        if (instance is null)
        {
            throw new CliException($"another aggregator-gateway runs with the state {config.State}; end it first, or give this one its own `state` and `api`");
        }

        using NamespaceLock? alone = NamespaceLock.TryTake(RootCommandFactory.Name);
        if (alone is null)
        {
            throw new CliException($"another {RootCommandFactory.Name}, with another `state`, manages this host's network already; end it first");
        }

        if (config.Clients is not null)
        {
            // To everything else they are clients of the LAN, on one more interface of it.
            config = config with { Lan = config.Lan.Add(HostController.ClientsInterfaceName) };
        }

        long? heap = ProcessMemory.LimitHeap(new HostFiles());
        TimeProvider time = TimeProvider.System;
        using IdentityKey identity = IdentityKey.LoadOrCreate(config.State);
        var builder = WebApplication.CreateSlimBuilder();
        DaemonLogging.Configure(builder.Logging);
        builder.WebHost.ListenLocalApi(config.Api);
        builder.Services.AddGrpc();

        using ILoggerFactory loggers = LoggerFactory.Create(DaemonLogging.Configure);
        if (heap is { } bytes)
        {
            loggers.CreateLogger<MemoryGuard>().HeapLimited(bytes / 1_000_000, ProcessMemory.TotalBytes(new HostFiles()) / 1_000_000);
        }

        await using var host = new HostController(config, time, loggers);
        var limits = CarrierLimits.Default;
        bool lanes = config.Carrier == GatewayConfig.TrunkCarrier;
        ILogger laneLogger = loggers.CreateLogger("Aggregator.Gateway.Lanes");
        var wans = new WanList(host.Links, host.Loads);
        await using BackupPaths? paths = lanes
            ? await BackupPaths.OpenAsync(HostFactsReader.Read(new SysctlFiles()).PathManagerByConnection, wans, time, laneLogger, cancellationToken)
            : null;
        ILogger carrierLogger = loggers.CreateLogger("Aggregator.Gateway.Carriers");
        await using ConnectionPaths? joined = HostPolicy.IsByConnection(config, HostFactsReader.Read(new SysctlFiles())) && !lanes
            ? await ConnectionPaths.OpenAsync(() => [.. host.Report.Desired.Paths.Select(p => new JoinPath(p.Address, p.Interface, p.Backup))], time, carrierLogger, cancellationToken)
            : null;
        if (joined is not null)
        {
            host.Decided += joined.Wake;
        }

        var connector = new VpsConnector(host.Selector, limits, time, carrierLogger, new VpsMemory(config.State, carrierLogger)) { Paths = joined ?? (IConnectionPaths?)paths };
        var nodeDialer = new NodeDialer(connector, identity, time);
        using var node = new NodeConnection(
            nodeDialer,
            () => PairedNode.TryLoad(config.State),
            ProductVersion.Text,
            time,
            loggers.CreateLogger<NodeConnection>());
        Func<VpsTarget?> target = () => node.Node is { } n ? new VpsTarget(n.Hosts, n.Port, n.Pin) : null;
        long memory = ProcessMemory.TotalBytes(new HostFiles());
        var trunkBudget = TrunkBudget.ForMemory(memory);
        await using ICarrier carrier = lanes
            ? new TrunkCarrier(
                sessions => new TrunkLaneDialer(connector, sessions, target, identity, node, config.Encrypt, time),
                wans, node, trunkBudget, TrunkLimits.Default, time, laneLogger)
            : new MptcpCarrier(
                new LaneDialer(connector, target, identity, node, config.Encrypt, time),
                host.Selector, node, limits, time, carrierLogger);
        ILogger rolesLogger = loggers.CreateLogger("Aggregator.Gateway.Roles");
        ILogger eventsLogger = loggers.CreateLogger("Aggregator.Gateway.Events");
        await using var events = new EventLog(config.State, time, eventsLogger);
        await using HookRunner? hooks = config.Hooks is { } directory ? new HookRunner(events, directory, time, eventsLogger) : null;
        host.Links.Moved += new LinkEvents((action, link, device, reason) => events.Add(action, link, device, reason)).Take;
        var book = new LimitsBook(config, rolesLogger);
        var quotas = new QuotaMeter(config.State, NetworkNamespace.Identity(), InterfaceCounters.Read, events, time, rolesLogger);
        var conditions = new LinkConditions();
        await using var portals = new PortalWatch(
            config, host.Links, book, conditions, events,
            () => new VpsAsPortalsSeeIt(host.VpsAddresses, node.Node?.Hosts ?? []),
            link => [Environment.ProcessPath!, UseCommand.Name, "--api", config.Api, link, "--"],
            time, rolesLogger);
        await using var wifi = new WifiWatch(host.Links, conditions, time, rolesLogger);
        await using var roles = new RoleKeeper(host.Links, book, quotas, conditions, InterfaceCounters.Read, time, rolesLogger);
        host.SetLimits(book.Current);
        book.Changed += () => host.SetLimits(book.Current);
        ILogger directLogger = loggers.CreateLogger("Aggregator.Gateway.Direct");
        await using var direct = new DirectCarrier(host.Links, config.Direct, name => book.Of(name).Weight, time, directLogger);
        await using var leaving = new DirectSwitch(config.Direct, host.Links, node, () => Carries(carrier), time, directLogger);
        ICarrier ways = config.Direct.IsPossible ? new WayChoice(carrier, direct, config.Direct, leaving) : carrier;
        leaving.Changed += () => host.SetDirect(leaving.State.IsDirect);
        var told = new NodeEvents(node, leaving, events);
        node.Changed += told.Take;
        leaving.Changed += told.Take;
        host.SetDirect(leaving.State.IsDirect);
        if (carrier is MptcpCarrier { Pool: var pool })
        {
            host.Loads.Changed += pool.Wake;
        }

        var ingressLimits = IngressLimits.ForThisProcess(lanes ? 1 : 2);
        await using var flows = new FlowRegistry(time, ingressLimits);
        var context = new IngressContext(
            ways, flows, RelayBudget.ForMemory(memory), ingressLimits, time,
            loggers.CreateLogger("Aggregator.Gateway.Ingress")) { Redundant = config.Redundant };

        var warnings = new List<Warning>();
        if (!lanes && !config.Redundant.Rules.IsEmpty)
        {
            warnings.Add(new Warning { Code = "redundant-needs-trunk", Text = "`redundant` has no effect: it needs `carrier: trunk`" });
        }

        // Where the VPS is decides which families are prepared: known before the first decision, a start leaves the host as it is right already.
        node.Prepare();
        await using var addresses = new NodeAddresses(node, connector, host.SetNode, time);
        await addresses.WaitForFirstAsync(LookUpTime, cancellationToken);
        try
        {
            host.Links.Loaded += roles.Start;
            await StartHostAsync(host, cancellationToken);
            await using TrunkCarrier? packetLanes = lanes || !TakesPackets(config) ? null : new TrunkCarrier(
                sessions => new TrunkLaneDialer(connector, sessions, target, identity, node, config.Encrypt, time),
                wans, node, TrunkBudget.ForMemory(memory), TrunkLimits.Default, time, laneLogger);
            await using PacketIngress? packets = await StartPacketsAsync(config, (carrier as TrunkCarrier ?? packetLanes)?.Sessions, host, wans, warnings, time, loggers, cancellationToken);
            if (packets is not null)
            {
                node.Beside.Add(packets.RunAsync);
            }

            var carried = new CarriedQuestion(carrier, time);
            var lookup = new NameLookup(carried);
            await using NameServer? names = config.Dns is null
                ? null
                : StartNames(config, config.Dns, carried, host, () => leaving.State.IsDirect, time, loggers.CreateLogger("Aggregator.Gateway.Resolver"));
            await using var ingress = await IngressSet.StartAsync(
                config.Ingress with { WholeIp = config.Ingress.WholeIp && packets is not null },
                context with { Datagrams = new TunnelDatagrams(packets, () => leaving.State.IsDirect, lookup.FindAsync, time) },
                warnings,
                cancellationToken);
            await using var mptcp = new MptcpWatch(
                () => host.Snapshot,
                () => node.Picture.Reachability == NodeReachability.Connected ? host.VpsAddresses : [],
                () => node.Node is { } n ? new PathVerifier(new SpeedDialer(identity, n.Pin, time), time) : null,
                host.Loads,
                time,
                loggers.CreateLogger<MptcpWatch>());
            host.Links.Changed += mptcp.Wake;
            node.Changed += mptcp.Wake;
            mptcp.Start();
            var desk = ClientDesk.Open(config, host, events, time, loggers.CreateLogger("Aggregator.Gateway.Clients"), warnings);
            await using ClientServer? roaming = desk.Server;
            var status = new StatusReader(config, node, host, carrier, new TrunkReader(carrier as TrunkCarrier, wans, paths is not null), flows, warnings,
                new LinkExtras(config, book, quotas, wifi, direct, leaving), mptcp, () => packets?.Status(), () => names?.Status(), () => roaming?.Status(), time);
            await using var watch = new TrafficWatch(
                () => Sockets(carrier), () => host.Snapshot, host.Traffic, time, loggers.CreateLogger<TrafficWatch>());
            await using var traffic = new TrafficHistory(() => host.Snapshot, InterfaceCounters.Read, time);
            traffic.Start();
            var speed = new SpeedTester(
                node, nodeDialer, connector, identity, carrier, () => Sockets(carrier), () => host.Snapshot, host.Loads, mptcp, config.State, time,
                loggers.CreateLogger<SpeedTester>());
            using var doctor = new DoctorDesk(config, identity, () => DoctorSide(status, host, node, traffic, speed, mptcp, packets), time);
            builder.Services.AddSingleton(status);
            builder.Services.AddSingleton(doctor);
            builder.Services.AddSingleton(host);
            builder.Services.AddSingleton(node);
            builder.Services.AddSingleton(time);
            builder.Services.AddSingleton<GatewayLocalService>();
            builder.Services.AddSingleton(speed);
            builder.Services.AddSingleton(events);
            builder.Services.AddSingleton(book);
            builder.Services.AddSingleton(quotas);
            builder.Services.AddSingleton(roles);
            builder.Services.AddSingleton<GatewayRolesService>();
            builder.Services.AddSingleton<GatewayEventsService>();
            builder.Services.AddSingleton(desk);
            builder.Services.AddSingleton<GatewayClientsService>();
            builder.Services.AddHostedService(_ => new MemoryGuard(
                new HostFiles(),
                time,
                loggers.CreateLogger<MemoryGuard>(),
                now => context.Budget.Adapt(now.Share, now.State == MemoryState.Critical),
                trunkBudget.Adapt));
            builder.Services.AddSingleton<GatewaySpeedService>();
            await using WebApplication app = builder.Build();
            app.MapGrpcService<GatewayLocalService>();
            app.MapGrpcService<GatewayDoctorService>();
            app.MapGrpcService<GatewaySpeedService>();
            app.MapGrpcService<GatewayRolesService>();
            app.MapGrpcService<GatewayEventsService>();
            app.MapGrpcService<GatewayClientsService>();

            await node.StartAsync(cancellationToken);
            leaving.Start();
            wifi.Start();
            host.SetTransparent(ingress.TransparentV4, ingress.TransparentV6);
            roaming?.Start();
            await app.StartAsync(cancellationToken);
            // A login asks the local API over which link it goes.
            portals.Start();
            using var stop = cancellationToken.Register(app.Lifetime.StopApplication);
            // Also what a closed terminal sends: without a handler it would end us with everything left on the host.
            using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, signal =>
            {
                signal.Cancel = true;
                node.Reload();
            });
            await app.WaitForShutdownAsync(CancellationToken.None);

            if (roaming is not null)
            {
                await roaming.DisposeAsync();
            }

            // No new flows first, then the rules that bring them, then everything that carries them.
            await host.StopAsync(CancellationToken.None);
            await node.StopAsync(CancellationToken.None);
        }
        catch
        {
            // A start that failed half-way leaves nothing behind either.
            await host.StopAsync(CancellationToken.None);
            throw;
        }
    }

    private static DaemonSide DoctorSide(StatusReader status, HostController host, NodeConnection node, TrafficHistory traffic, SpeedTester speed, MptcpWatch mptcp, PacketIngress? packets) => new()
    {
        Links = host.Snapshot,
        Node = node.Node,
        VpsAddresses = host.VpsAddresses,
        State = new DaemonState(status.Read(), status.Read, node.SinceContact, traffic.Window()),
        Speed = speed,
        Packets = packets,
        MptcpFound = mptcp.Take,
    };

    /// <summary>Whether flows are moved at this moment, whatever the control session says.</summary>
    private static bool Carries(ICarrier carrier) => carrier is TrunkCarrier { Sessions.Current.IsCarrying: true };

    /// <summary>The carrier's connections at this moment, for the kernel's figures.</summary>
    private static IEnumerable<Socket> Sockets(ICarrier carrier) => carrier switch
    {
        MptcpCarrier mptcp => mptcp.Live.Select(c => c.Socket),
        TrunkCarrier trunk => trunk.Lanes.Keepers.Values.Select(k => k.Live?.Socket).OfType<Socket>(),
        _ => [],
    };

    /// <exception cref="CliException">It cannot listen where the user wants it.</exception>
    private static NameServer StartNames(
        GatewayConfig config, DnsConfig dns, CarriedQuestion carried, HostController host, Func<bool> isDirect, TimeProvider time, ILogger logger)
    {
        var direct = new DirectQuestion(dns.Direct, dns.Listen, () => host.Snapshot, () => ResolvConf.Servers(new HostFiles().Read(ResolvConf.Path) ?? ""), time);
        var desk = new NameDesk(dns, carried, direct, isDirect, config.Direct.IsFallback, ResolverLimits.Default, time, logger);
        var server = new NameServer(dns, desk, () => host.Snapshot, ResolverLimits.Default, time, logger);
        return server.Start() is { } problem ? throw new CliException(problem) : server;
    }

    private static bool TakesLanPackets(GatewayConfig config) => config.Ingress.Transparent && !config.Lan.IsEmpty;

    /// <summary>The LAN's, or the datagrams of SOCKS5's clients.</summary>
    private static bool TakesPackets(GatewayConfig config) => TakesLanPackets(config) || config.Ingress.Socks is not null;

    /// <summary>Null: packets are not asked for, or cannot be had, which a warning says; TCP goes on.</summary>
    private static async Task<PacketIngress?> StartPacketsAsync(
        GatewayConfig config, TrunkSessions? sessions, HostController host, IWanList wans, List<Warning> warnings, TimeProvider time, ILoggerFactory loggers,
        CancellationToken cancellationToken)
    {
        if (sessions is null || !TakesPackets(config))
        {
            return null;
        }

        ILogger logger = loggers.CreateLogger("Aggregator.Gateway.Packets");
        var (device, index, problem) = await HostController.OpenTunnelAsync(cancellationToken);
        if (device is null)
        {
            logger.PacketsOff(problem!);
            warnings.Add(new Warning { Code = "packets-unavailable", Text = $"{(TakesLanPackets(config) ? "UDP, ICMP and the rest of the LAN are" : "UDP of SOCKS5 clients is")} not carried: {problem}" });
            return null;
        }

        return new PacketIngress(device, index, sessions, host, PacketPolicy.Default, wans, config.RealTime, TakesLanPackets(config), time, logger);
    }

    private static async Task StartHostAsync(HostController host, CancellationToken cancellationToken)
    {
        try
        {
            await host.StartAsync(cancellationToken);
            await host.Applied.WaitAsync(cancellationToken);
        }
        catch (IOException e) when (e is not StateException)
        {
            throw new CliException($"the host's network cannot be managed: {e.Message}; run as root, or with CAP_NET_ADMIN", inner: e);
        }
    }
}
