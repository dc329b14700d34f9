using System.Collections.Immutable;
using System.Threading.Channels;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Links;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Roles;

/// <summary>
/// Keeps what links are used as in step with schedules, quotas, costs and load, and passes on what portals and Wi-Fi say against them. One loop:
/// look at the counters → decide → tell the links.
/// </summary>
internal sealed class RoleKeeper : IAsyncDisposable
{
    /// <summary>Between looks at the load.</summary>
    private static readonly TimeSpan LoadEvery = TimeSpan.FromSeconds(1);

    private readonly LinkMonitor _links;
    private readonly LimitsBook _limits;
    private readonly QuotaMeter _quotas;
    private readonly LinkConditions _conditions;
    private readonly Func<string, InterfaceCounters?> _counters;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stop = new();
    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly Fullness _fullness = new();
    private readonly Dictionary<string, InterfaceCounters> _before = new(StringComparer.Ordinal);
    private ImmutableDictionary<string, LinkOverlay> _told = ImmutableDictionary<string, LinkOverlay>.Empty;
    private Task _loop = Task.CompletedTask;
    private long _loadAt;
    private bool _full;

    internal RoleKeeper(
        LinkMonitor links, LimitsBook limits, QuotaMeter quotas, LinkConditions conditions, Func<string, InterfaceCounters?> counters, TimeProvider time, ILogger logger)
    {
        _links = links;
        _limits = limits;
        _quotas = quotas;
        _conditions = conditions;
        _counters = counters;
        _time = time;
        _logger = logger;
    }

    /// <summary>The first decision is made before it returns, so that no link is used beyond its bounds, not even at the start.</summary>
    internal void Start()
    {
        _links.Changed += Wake;
        _limits.Changed += Wake;
        _conditions.Changed += Wake;
        Decide();
        _loop = Task.Run(() => RunAsync(_stop.Token));
    }

    public async ValueTask DisposeAsync()
    {
        _links.Changed -= Wake;
        _limits.Changed -= Wake;
        _conditions.Changed -= Wake;
        await _stop.CancelAsync();
        await _loop;
        _quotas.Save();
        _stop.Dispose();
    }

    /// <summary>Decides again at once, for what has no event.</summary>
    internal void Wake() => _wake.Writer.TryWrite(true);

    private async Task RunAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            var pause = LoadEvery;
            try
            {
                pause = Decide();
            }
            catch (Exception e)
            {
                // Without this loop quotas would not be held any more.
                _logger.KeeperFault(e);
            }

            using var timer = new CancellationTokenSource(pause, _time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, stop);
            try
            {
                await _wake.Reader.ReadAsync(either.Token);
            }
            catch (OperationCanceledException)
            {
                // Time for a look, or the end.
            }
        }
    }

    private TimeSpan Decide()
    {
        var links = _links.Current.Links;
        var limits = _limits.Current;
        var next = _quotas.LookAll(links, limits);
        LookAtLoad(links, limits);
        var roles = RoleDecision.Decide(links, limits, _quotas.Current, _time.GetLocalNow().DateTime, _full);
        var overlays = ImmutableDictionary.CreateBuilder<string, LinkOverlay>(StringComparer.Ordinal);
        foreach (var link in links)
        {
            (LinkRole Role, string? Reason)? role = roles.TryGetValue(link.Name, out var decided) ? decided : null;
            var (degraded, portal) = _conditions.Of(link.Name);
            if (role is not null || degraded is not null || portal is not null)
            {
                overlays[link.Name] = new LinkOverlay(role?.Role, role?.Reason, degraded, portal);
            }
        }

        var told = overlays.ToImmutable();
        if (told.Count != _told.Count || told.Any(o => !_told.TryGetValue(o.Key, out var had) || !Same(had, o.Value)))
        {
            _told = told;
            _links.SetOverlays(told);
        }

        return next < LoadEvery ? next : LoadEvery;
    }

    /// <summary>The text of a quota's reason moves on with every packet, which is no reason to decide everything anew.</summary>
    private static bool Same(LinkOverlay a, LinkOverlay b) =>
        a.Role == b.Role && a.Degraded == b.Degraded && a.Portal == b.Portal && (a.Role is LinkRole.Off || a.RoleReason == b.RoleReason);

    private void LookAtLoad(ImmutableArray<Link> links, ImmutableDictionary<string, LinkLimits> limits)
    {
        long now = _time.GetTimestamp();
        var elapsed = _time.GetElapsedTime(_loadAt, now);
        if (_loadAt != 0 && elapsed < LoadEvery)
        {
            return;
        }

        bool wanted = links.Any(l => limits.GetValueOrDefault(l.Name, LinkLimits.None).BackupWhenFull);
        if (!wanted)
        {
            _full = false;
            _loadAt = 0;
            _before.Clear();
            return;
        }

        bool first = _loadAt == 0;
        _loadAt = now;
        var loads = new List<LineLoad>();
        double helped = 0;
        foreach (var link in links)
        {
            if (!link.Present || link.Role == LinkRole.Off || _counters(link.Interface) is not { } counters)
            {
                _before.Remove(link.Name);
                continue;
            }

            bool known = _before.TryGetValue(link.Name, out var had) && counters.RxBytes >= had.RxBytes && counters.TxBytes >= had.TxBytes;
            _before[link.Name] = counters;
            if (!known || first)
            {
                continue;
            }

            var bounds = limits.GetValueOrDefault(link.Name, LinkLimits.None);
            var load = new LineLoad(
                link.Name,
                (counters.RxBytes - had.RxBytes) / elapsed.TotalSeconds,
                (counters.TxBytes - had.TxBytes) / elapsed.TotalSeconds,
                link.RttMs,
                bounds.Cap.DownBitsPerSecond / 8.0,
                bounds.Cap.UpBitsPerSecond / 8.0);
            if (bounds.BackupWhenFull && (link.Role == LinkRole.Backup || link.RoleReason is not null))
            {
                helped += load.Busier;
            }
            else if (link.Role == LinkRole.Active && link.Usable)
            {
                loads.Add(load);
            }
        }

        _full = _fullness.Look(loads, helped);
    }
}
