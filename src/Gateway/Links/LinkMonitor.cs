using System.Collections.Immutable;
using System.Net;
using System.Threading.Channels;
using Aggregator.Gateway.Configuration;
using Aggregator.Netlink;
using Aggregator.Settings;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Links;

/// <summary>
/// Follows the kernel's interfaces, addresses and routes and the probes, and publishes the links as whole snapshots.
/// Flow: events → (gathered for 50 ms) → dump → <see cref="LinkResolver"/> → with health → <see cref="Current"/> → <see cref="Changed"/>.
/// One lock guards what snapshots are made from; it is never held across a wait or while <see cref="Changed"/> is raised.
/// </summary>
internal sealed class LinkMonitor(GatewayConfig config, TimeProvider time, ILogger<LinkMonitor> logger) : IAsyncDisposable
{
    /// <summary>An interface that comes up tells it in several events within a few milliseconds.</summary>
    private static readonly TimeSpan Gathering = TimeSpan.FromMilliseconds(50);

    private static readonly TimeSpan RetryAfterFailure = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _stop = new();

    // One place: that something happened is all that is passed on.
    private readonly Channel<bool> _dirty = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly Dictionary<ProbePath, PathHealth> _health = [];
    private readonly Dictionary<string, FlapDamper> _dampers = new(StringComparer.Ordinal);
    private readonly long _began = time.GetTimestamp();
    private ITimer? _release;
    private ImmutableDictionary<string, LinkOverlay> _overlays = ImmutableDictionary<string, LinkOverlay>.Empty;
    private readonly Lock _telling = new();
    private LinkSnapshot _told = LinkSnapshot.Empty;
    private NetworkView _view = new([], [], []);
    private LinkMemory _memory = LinkMemory.Empty;
    private readonly LinkMemoryFile _file = new(config.State, time, logger);
    private ImmutableArray<IPEndPoint> _targets = [];
    private volatile LinkSnapshot _current = LinkSnapshot.Empty;
    private volatile bool _ownRemoved;
    private bool _started;
    private Task _loop = Task.CompletedTask;

    /// <summary>After a change of anything that a decision depends on, from any thread. Handlers return at once.</summary>
    internal event Action? Changed;

    /// <summary>
    /// For each published change, in order: what was and what is. Raised under a lock of its own; handlers return at once and change no link.
    /// </summary>
    internal event Action<LinkSnapshot, LinkSnapshot>? Moved;

    /// <summary>Once, when the first snapshot is there, before anything is decided from it.</summary>
    internal event Action? Loaded;

    /// <summary>The latest snapshot; RTT and loss in it move on without <see cref="Changed"/>.</summary>
    internal LinkSnapshot Current => _current;

    /// <summary>Reads everything once and follows it from then on.</summary>
    /// <exception cref="IOException">The kernel's netlink cannot be used at all.</exception>
    internal async Task StartAsync(CancellationToken cancellationToken)
    {
        Update(() => _memory = _file.Load());

        using (var socket = RouteSocket.Open())
        {
            Show(await NetworkDump.ReadAsync(socket, cancellationToken));
        }

        Loaded?.Invoke();

        // Reads everything again once it listens, so that no change falls in between.
        _loop = FollowAsync(_stop.Token);
    }

    /// <summary>Where the VPS is, the preferred first; empty while unpaired.</summary>
    internal void SetTargets(ImmutableArray<IPEndPoint> targets) => Update(() => _targets = targets);

    /// <summary>Why roles that were set would not outlive a restart; null: they would.</summary>
    internal string? MemoryProblem
    {
        get
        {
            lock (_gate)
            {
                return _file.Problem;
            }
        }
    }

    /// <summary>As `link NAME ROLE`: stays over restarts until changed again (but see <see cref="MemoryProblem"/>). False: there is no such link.</summary>
    internal bool TrySetRole(string link, LinkRole role)
    {
        if (Current.Find(link) is not { } found)
        {
            return false;
        }

        logger.RoleSet(found.Name, role);
        Update(() => _memory = _memory with { Roles = _memory.Roles.SetItem(found.Name, role.ToString().ToLowerInvariant()) });
        return true;
    }

    /// <summary>What quotas, schedules, portals and the like say of links, by name. A whole new set each time.</summary>
    internal void SetOverlays(ImmutableDictionary<string, LinkOverlay> overlays) => Update(() => _overlays = overlays);

    /// <summary>What a probe has learned; null when it has ended.</summary>
    internal void Report(ProbePath path, PathHealth? health) => Update(() =>
    {
        if (health is null)
        {
            _health.Remove(path);
        }
        else
        {
            _health[path] = health;
        }
    });

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _loop;
        if (_release is not null)
        {
            await _release.DisposeAsync();
        }

        _stop.Dispose();
    }

    private async Task FollowAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await FollowOnceAsync(stop);
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException)
            {
                logger.MonitorFailed(e);
            }

            await Task.Delay(RetryAfterFailure, time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        }
    }

    private async Task FollowOnceAsync(CancellationToken stop)
    {
        using var round = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var listening = ListenAsync(round.Token);
        var dumping = DumpAsync(round.Token);
        // Either ends only by failure or by the stop; the other is then of no use.
        await Task.WhenAny(listening, dumping);
        await round.CancelAsync();
        await Task.WhenAll(listening, dumping);
    }

    private async Task ListenAsync(CancellationToken cancellationToken)
    {
        using var monitor = RouteMonitor.Open(RouteEvents.All);
        _dirty.Writer.TryWrite(true);
        await foreach (var item in monitor.ReadAllAsync(cancellationToken))
        {
            switch (item)
            {
                case NetlinkEvent.EventsLost:
                    logger.EventsLost();
                    break;
                case NetlinkEvent.RouteRemoved { Route.Protocol: HostNumbers.Protocol } or NetlinkEvent.RuleRemoved { Rule.Protocol: HostNumbers.Protocol }:
                    // By ourselves, or by somebody else: the next decision finds out.
                    _ownRemoved = true;
                    break;
                case NetlinkEvent.RouteChanged { Route.Protocol: HostNumbers.Protocol } or NetlinkEvent.RuleAdded { Rule.Protocol: HostNumbers.Protocol }:
                    continue;
            }

            _dirty.Writer.TryWrite(true);
        }
    }

    private async Task DumpAsync(CancellationToken cancellationToken)
    {
        using var socket = RouteSocket.Open();
        while (await _dirty.Reader.WaitToReadAsync(cancellationToken))
        {
            await Task.Delay(Gathering, time, cancellationToken);
            _dirty.Reader.TryRead(out _);
            Show(await NetworkDump.ReadAsync(socket, cancellationToken));
        }
    }

    /// <summary>What the kernel has now. The first begins everything; a simulation shows it in the kernel's place.</summary>
    internal void Show(NetworkView view) => Update(() => (_view, _started) = (view, true));

    private void Update(Action change)
    {
        bool changed;
        lock (_gate)
        {
            change();
            if (!_started)
            {
                // Nothing is known yet: a snapshot of it would be taken for the loss of everything.
                return;
            }

            var (snapshot, memory) = LinkResolver.Resolve(config, _view, _memory);
            snapshot = snapshot with { Links = [.. LinkHealth.Settle(Damped([.. snapshot.Links.Select(Join)])).Select(Degrade)] };
            Remember(memory);
            changed = snapshot.ToString() != _current.ToString() || _ownRemoved;
            _ownRemoved = false;
            Log(_current, snapshot);
            _current = snapshot;
        }

        if (changed)
        {
            Tell();
            Changed?.Invoke();
        }
    }

    /// <summary>Two updates at the same moment are told as one step or as two, but never in the wrong order.</summary>
    private void Tell()
    {
        lock (_telling)
        {
            var (before, after) = (_told, _current);
            if (before != after)
            {
                _told = after;
                Moved?.Invoke(before, after);
            }
        }
    }

    private Link Join(Link link)
    {
        link = _overlays.GetValueOrDefault(link.Name)?.Limit(link) ?? link;
        var health = LinkHealth.PathOf(link, _targets) is { } path ? _health.GetValueOrDefault(path) : null;
        return LinkHealth.Join(link, _targets, health);
    }

    private Link Degrade(Link link) => _overlays.GetValueOrDefault(link.Name)?.Degrade(link) ?? link;

    private ImmutableArray<Link> Damped(ImmutableArray<Link> links)
    {
        foreach (string gone in _dampers.Keys.Where(n => links.All(l => l.Interface != n)).ToArray())
        {
            _dampers.Remove(gone);
        }

        TimeSpan now = time.GetElapsedTime(_began);
        var damped = links.Select(link =>
        {
            if (!_dampers.TryGetValue(link.Interface, out FlapDamper? damper))
            {
                _dampers.Add(link.Interface, damper = new FlapDamper());
            }

            return link with { HeldFor = damper.Observe(now, link.State != LinkState.Down) };
        }).ToImmutableArray();
        if (_dampers.Values.Min(d => d.Release) is { } release)
        {
            _release ??= time.CreateTimer(_ => Update(static () => { }), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            _release.Change(release > now ? release - now : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
        }

        return damped;
    }

    private void Remember(LinkMemory memory)
    {
        _memory = memory;
        _file.Keep(memory);
    }

    private void Log(LinkSnapshot before, LinkSnapshot after)
    {
        foreach (var link in after.Links)
        {
            var had = before.Find(link.Name);
            if (had?.State != link.State || had.Reason != link.Reason)
            {
                logger.LinkChanged(link.Name, link.Interface, link.State, link.Reason ?? "answers");
            }
        }
    }
}
