using System.Collections.Immutable;
using System.Net;
using System.Threading.Channels;
using Aggregator.Gateway.Apply;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Links;
using Aggregator.Host;
using Aggregator.Settings;
using Aggregator.Tun;
using Aggregator.WireGuard;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Policy;

/// <summary>
/// The gateway's hold on its host: observe (<see cref="LinkMonitor"/>, <see cref="PathProber"/>), decide (<see cref="HostPolicy"/>),
/// act (<see cref="HostApplier"/>). One loop does the deciding and acting; everything else only wakes it.
/// </summary>
internal sealed class HostController : IHostedService, IAsyncDisposable
{
    /// <summary>What somebody else changed without an event that we see (sysctls, nft, MPTCP endpoints) is put right within this time.</summary>
    private static readonly TimeSpan Recheck = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan RetryAfterRefusal = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan RetryAfterFailure = TimeSpan.FromSeconds(1);

    private readonly GatewayConfig _config;
    private readonly TimeProvider _time;
    private readonly ILogger<HostController> _logger;
    private readonly PathProber _prober;
    private readonly CancellationTokenSource _stop = new();

    // One place: that something changed is all that is passed on.
    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly TaskCompletionSource _applied = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile Inputs _inputs = new([], null, null);
    private volatile HostReport _report = new([], [], DesiredState.Nothing);
    private HostApplier? _applier;
    private Task _loop = Task.CompletedTask;
    private readonly Lock _tunnelLock = new();
    private TunnelUse? _tunnelInPlace;
    private TaskCompletionSource _tunnelSet = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private double? _worstRttMs;
    private int _stopped;

    internal HostController(GatewayConfig config, TimeProvider time, ILoggerFactory loggers)
    {
        _config = config;
        _time = time;
        _logger = loggers.CreateLogger<HostController>();
        Links = new LinkMonitor(config, time, loggers.CreateLogger<LinkMonitor>());
        _prober = new PathProber(Links, config.Probe, time, loggers.CreateLogger<PathProber>());
        Selector = new WanSelector(() => Links.Current, Loads);
    }

    internal LinkMonitor Links { get; }

    /// <summary>What the carrier's connections show of a WAN, by its interface; see <see cref="TrafficWatch"/>.</summary>
    internal void Traffic(string @interface, TrafficSign sign) => _prober.Traffic(@interface, sign);

    /// <summary>What is being loaded on purpose.</summary>
    internal LinkLoads Loads { get; } = new();

    /// <summary>The carrier's choice of WANs.</summary>
    internal WanSelector Selector { get; }

    internal LinkSnapshot Snapshot => Links.Current;

    /// <summary>Who opens a connection's further subflows on this kernel, as the status shows it.</summary>
    internal string PathManager { get; private set; } = "none";

    /// <summary>Where the VPS is, the preferred first; empty while unpaired or unknown.</summary>
    internal ImmutableArray<IPEndPoint> VpsAddresses => _inputs.Node;

    /// <summary>What the last decision and its application have to say, and which settings differ from before.</summary>
    internal HostReport Report => _report;

    /// <summary>After each decision and its application. Handlers return at once.</summary>
    internal event Action? Decided;

    /// <summary>Completes when the host was first brought to what is wanted.</summary>
    internal Task Applied => _applied.Task;

    /// <exception cref="IOException">The journal or the kernel's netlink cannot be used: nothing works without them.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        _applier = await HostApplier.OpenAsync(_config.State, _logger, cancellationToken);
        await Links.StartAsync(cancellationToken);
        Links.Changed += Wake;
        Loads.Changed += Wake;
        _prober.Start();
        _prober.SetTargets(_inputs.Node);
        var facts = HostFactsReader.Read(new SysctlFiles());
        PathManager = HostPolicy.PathManager(_config, facts);
        _loop = RunAsync(facts, _applier, _stop.Token);
        Wake();
    }

    /// <summary>Ends observing and takes back all that was changed.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (await EndAsync() && _applier is not null)
        {
            var outcome = await _applier.CleanUpAsync(cancellationToken);
            foreach (var warning in outcome.Warnings)
            {
                _logger.Problem(warning.ToString());
            }
        }
    }

    /// <summary>Where the VPS is, the preferred address first; empty: unpaired.</summary>
    internal void SetNode(ImmutableArray<IPEndPoint> addresses)
    {
        if (_inputs.Node.SequenceEqual(addresses))
        {
            return;
        }

        _inputs = _inputs with { Node = addresses };
        _prober.SetTargets(addresses);
        Wake();
    }

    /// <summary>Where the transparent listeners are; null: not listening.</summary>
    internal void SetTransparent(IPEndPoint? v4, IPEndPoint? v6)
    {
        _inputs = _inputs with { TransparentV4 = v4, TransparentV6 = v6 };
        Wake();
    }

    /// <summary>Whether new traffic of the LAN goes out directly.</summary>
    internal void SetDirect(bool isDirect)
    {
        _inputs = _inputs with { IsDirect = isDirect };
        Wake();
    }

    /// <summary>Makes the tunnel's interface. It goes with the device.</summary>
    /// <returns>The device and its index; or why there is none.</returns>
    internal static Task<(TunDevice? Device, int Index, string? Problem)> OpenTunnelAsync(CancellationToken cancellationToken) =>
        TunnelInterface.OpenAsync(cancellationToken);

    /// <summary>The name of the roaming clients' interface on this host.</summary>
    internal static string ClientsInterfaceName => ClientsInterface.Name();

    /// <summary>Makes the roaming clients' interface. It goes with the device.</summary>
    /// <returns>The device; or why there is none.</returns>
    internal static Task<(IWireGuardDevice? Device, string? Problem)> OpenClientsAsync(
        ImmutableArray<(IPAddress Address, int Bits)> addresses, TimeProvider time, CancellationToken cancellationToken) =>
        ClientsInterface.OpenAsync(ClientsInterfaceName, addresses, time, cancellationToken);

    /// <summary>Whether the LAN's packets are led into the tunnel; null: not.</summary>
    internal void SetTunnel(TunnelUse? tunnel)
    {
        if (_inputs.Tunnel != tunnel)
        {
            _inputs = _inputs with { Tunnel = tunnel };
            Wake();
        }
    }

    /// <summary>Completes when the host leads packets as <see cref="SetTunnel"/> asked last.</summary>
    internal async Task TunnelIsSetAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            Task next;
            lock (_tunnelLock)
            {
                if (_tunnelInPlace == _inputs.Tunnel)
                {
                    return;
                }

                next = _tunnelSet.Task;
            }

            await next.WaitAsync(cancellationToken);
        }
    }

    /// <summary>What bounds each link, by name.</summary>
    internal void SetLimits(ImmutableDictionary<string, LinkLimits> limits)
    {
        _inputs = _inputs with { Limits = limits };
        Wake();
    }

    /// <summary>As `link NAME ROLE`. False: there is no such link.</summary>
    internal bool TrySetRole(string link, LinkRole role) => Links.TrySetRole(link, role);

    /// <summary>`down` without a daemon: takes back what one left, by marks and the journal in <paramref name="stateDirectory"/>.</summary>
    /// <exception cref="IOException">The journal or the kernel's netlink cannot be used.</exception>
    internal static async Task<CleanUpOutcome> CleanUpAsync(string stateDirectory, ILogger logger, CancellationToken cancellationToken)
    {
        using var applier = await HostApplier.OpenAsync(stateDirectory, logger, cancellationToken);
        return await applier.CleanUpAsync(cancellationToken);
    }

    /// <summary>Ends without taking anything back, unless <see cref="StopAsync"/> did: flows of a restart find their host as it was.</summary>
    public async ValueTask DisposeAsync()
    {
        await EndAsync();
        _applier?.Dispose();
        _stop.Dispose();
    }

    private async Task<bool> EndAsync()
    {
        if (Interlocked.Exchange(ref _stopped, 1) != 0)
        {
            return false;
        }

        Links.Changed -= Wake;
        Loads.Changed -= Wake;
        await _stop.CancelAsync();
        await _loop;
        await _prober.DisposeAsync();
        await Links.DisposeAsync();
        return true;
    }

    private void Wake() => _wake.Writer.TryWrite(true);

    private async Task RunAsync(HostFacts facts, HostApplier applier, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            var pause = Recheck;
            try
            {
                bool complete = await DecideAsync(facts, applier, stop);
                _applied.TrySetResult();
                pause = complete ? Recheck : RetryAfterRefusal;
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
            catch (IOException e)
            {
                NoteFailure(e.Message);
                pause = RetryAfterFailure;
                if (e is StateException)
                {
                    // Not a moment's trouble. At the start it is the end: nothing may be changed that could not be put back.
                    _applied.TrySetException(e);
                }
            }

            await WaitAsync(pause, stop);
        }
    }

    /// <summary>Said once as long as it stays the same.</summary>
    private void NoteFailure(string message)
    {
        var warning = new HostWarning("host-not-applied", $"the host could not be brought to what is wanted: {message}");
        if (!_report.Warnings.Contains(warning))
        {
            _logger.Failed(message);
            _report = _report with { Warnings = [.. _report.Warnings, warning] };
        }
    }

    /// <returns>False: the kernel refused something that it may take a moment later (a gateway whose network is still coming).</returns>
    private async Task<bool> DecideAsync(HostFacts facts, HostApplier applier, CancellationToken stop)
    {
        var inputs = _inputs;
        var links = Links.Current;
        double? rtt = links.Links.Max(l => l.RttMs);
        _worstRttMs = rtt is null || rtt < _worstRttMs ? _worstRttMs : rtt;
        var desired = HostPolicy.Decide(new PolicyInput
        {
            Config = _config,
            Links = links,
            NodeFamilies = [.. inputs.Node.Select(n => n.AddressFamily).Distinct()],
            WorstRttMs = _worstRttMs,
            Loads = Loads.Current,
            Host = facts,
            TransparentV4 = inputs.TransparentV4,
            TransparentV6 = inputs.TransparentV6,
            IsDirect = inputs.IsDirect,
            Tunnel = inputs.Tunnel,
            Limits = inputs.Limits,
        });
        var outcome = await applier.ApplyAsync(desired, stop);
        ImmutableArray<HostWarning> warnings = [.. desired.Warnings, .. outcome.Warnings];
        foreach (var warning in warnings.Except(_report.Warnings))
        {
            _logger.Problem(warning.ToString());
        }

        _report = new HostReport(warnings, [.. outcome.Settings], desired);
        TaskCompletionSource set;
        lock (_tunnelLock)
        {
            _tunnelInPlace = inputs.Tunnel;
            (set, _tunnelSet) = (_tunnelSet, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        }

        set.SetResult();
        Decided?.Invoke();
        return outcome.Warnings.Count == 0;
    }

    private async Task WaitAsync(TimeSpan longest, CancellationToken stop)
    {
        using var pause = new CancellationTokenSource(longest, _time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(pause.Token, stop);
        try
        {
            await _wake.Reader.ReadAsync(both.Token);
        }
        catch (OperationCanceledException)
        {
            // Time for a look, or the end.
        }
    }

    private sealed record Inputs(ImmutableArray<IPEndPoint> Node, IPEndPoint? TransparentV4, IPEndPoint? TransparentV6)
    {
        internal bool IsDirect { get; init; }

        internal TunnelUse? Tunnel { get; init; }

        internal ImmutableDictionary<string, LinkLimits> Limits { get; init; } = ImmutableDictionary<string, LinkLimits>.Empty;
    }
}

/// <param name="Warnings">For the status, with stable codes.</param>
/// <param name="Settings">The host's settings that were changed, with their values before.</param>
/// <param name="Desired">The decision itself, readable as text.</param>
internal sealed record HostReport(ImmutableArray<HostWarning> Warnings, ImmutableArray<AppliedSetting> Settings, DesiredState Desired);
