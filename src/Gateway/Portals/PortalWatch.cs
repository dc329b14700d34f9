using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Aggregator.Doctor;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Doctor.Probes;
using Aggregator.Gateway.Events;
using Aggregator.Gateway.Links;
using Aggregator.Gateway.Roles;
using Aggregator.Processes;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Portals;

/// <summary>
/// Watches every WAN for a captive portal, and logs in where the user has said how. Asked is the configuration's URL, which answers 204 where
/// there is no portal; the VPS's port 80 where there is none, or where that URL is answered and the VPS is silent all the same. A loop for each link.
/// </summary>
internal sealed class PortalWatch : IAsyncDisposable
{
    /// <summary>While the VPS answers: only a session that expires, or a portal that lets it through, is to be noticed.</summary>
    private static readonly TimeSpan WhileUp = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan WhileDown = TimeSpan.FromSeconds(3);

    /// <summary>A form is filled in over a slow line; one that takes longer hangs.</summary>
    internal static readonly TimeSpan LoginLimit = TimeSpan.FromSeconds(60);

    private readonly GatewayConfig _config;
    private readonly LinkMonitor _links;
    private readonly LimitsBook _limits;
    private readonly LinkConditions _conditions;
    private readonly EventLog _events;
    private readonly Func<VpsAsPortalsSeeIt> _vps;
    private readonly Func<string, string[]> _use;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ConcurrentDictionary<string, Watched> _watched = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, HttpAnswer?> _seen = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _stop = new();
    private readonly long _began;

    /// <param name="use">The command line that runs what follows it over a link.</param>
    internal PortalWatch(
        GatewayConfig config, LinkMonitor links, LimitsBook limits, LinkConditions conditions, EventLog events,
        Func<VpsAsPortalsSeeIt> vps, Func<string, string[]> use, TimeProvider time, ILogger logger)
    {
        (_config, _links, _limits, _conditions, _events) = (config, links, limits, conditions, events);
        (_vps, _use, _time, _logger) = (vps, use, time, logger);
        _began = time.GetTimestamp();
    }

    private TimeSpan Now => _time.GetElapsedTime(_began);

    internal void Start()
    {
        _links.Moved += Follow;
        Follow(LinkSnapshot.Empty, _links.Current);
    }

    public async ValueTask DisposeAsync()
    {
        _links.Moved -= Follow;
        await _stop.CancelAsync();
        foreach (var watched in _watched.Values)
        {
            await watched.Loop;
            watched.Dispose();
        }

        _stop.Dispose();
    }

    private static bool IsWatched(Link link) => link.Role != LinkRole.Off && link.Present && link.Carrier && !link.Addresses.IsEmpty;

    /// <summary>A link that came, changed its address, or went up or down is asked at once.</summary>
    private void Follow(LinkSnapshot before, LinkSnapshot after)
    {
        foreach (var link in after.Links)
        {
            var was = before.Links.FirstOrDefault(l => l.Name == link.Name);
            if (!_stop.IsCancellationRequested)
            {
                var watched = _watched.GetOrAdd(link.Name, name => new Watched(w => RunAsync(name, w)));
                if (was is null || was.State != link.State || IsWatched(was) != IsWatched(link) || !was.Addresses.SequenceEqual(link.Addresses))
                {
                    watched.Wake();
                }
            }
        }
    }

    private async Task RunAsync(string name, Watched watched)
    {
        // The caller is in the middle of telling others.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        while (!_stop.IsCancellationRequested)
        {
            var pause = WhileUp;
            try
            {
                var links = _links.Current;
                pause = links.Find(name) is { } link && IsWatched(link) ? await LookAsync(link, links, watched) : Leave(name, watched);
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                // The loops of the others would go on, and this link's portal would never be seen again.
                _logger.WatchFault(e, name);
            }

            await watched.WaitAsync(pause, _time, _stop.Token);
        }
    }

    /// <returns>How long until the next look.</returns>
    private async Task<TimeSpan> LookAsync(Link link, LinkSnapshot links, Watched watched)
    {
        var (verdict, answer) = await AskAsync(link, links, _stop.Token);
        if (verdict != PortalVerdict.Unknown)
        {
            Tell(link, watched, verdict == PortalVerdict.Portal ? answer?.Location ?? "" : null);
        }

        if (watched.Portal is null)
        {
            watched.BackOff.Free(Now);
            return link.State == LinkState.Down ? WhileDown : WhileUp;
        }

        if (_limits.Of(link.Name).OnPortal is not { } command || !watched.BackOff.IsDue(Now))
        {
            return WhileDown;
        }

        watched.BackOff.Tried(Now);
        string[] line = [.. _use(link.Name), "/bin/sh", "-c", command];
        var outcome = await UserProgram.RunAsync(
            line[0], line[1..], new Dictionary<string, string> { ["PORTAL_URL"] = watched.Portal }, LoginLimit, _time, _stop.Token);
        string text = outcome.Problem ?? "done";
        _logger.LoginDone(link.Name, text);
        _events.Add(EventAction.PortalLogin, link.Name, link.Interface, text);
        return TimeSpan.Zero;
    }

    private TimeSpan Leave(string name, Watched watched)
    {
        _seen.TryRemove(name, out _);
        watched.Portal = null;
        _conditions.SetPortal(name, null);
        return Timeout.InfiniteTimeSpan;
    }

    private async Task<(PortalVerdict Verdict, HttpAnswer? Answer)> AskAsync(Link link, LinkSnapshot links, CancellationToken cancellationToken)
    {
        bool reached = link is { BehindPortal: false, Checking: false } && link.State != LinkState.Down;
        if (_config.ProbeHttp is { } url)
        {
            var answer = await AskUrlAsync(link, url, cancellationToken);
            var verdict = PortalAnswer.OfUrl(answer);
            // A portal that knows the URL and answers 204 is found out by the VPS's silence.
            if (verdict == PortalVerdict.Portal || reached)
            {
                return (verdict, answer);
            }
        }

        var vps = _vps();
        if (LinkHealth.PathOf(link, vps.Addresses) is not { } path)
        {
            return (PortalVerdict.Unknown, null);
        }

        string host = path.Target.Address.ToString();
        var view = await PortalProbe.RunAsync(path, new IPEndPoint(path.Target.Address, HttpProbe.Port), HttpProbe.HostOf(host), HttpProbe.Path, _time, cancellationToken);
        _seen[link.Name] = view.Answer;
        var elsewhere = links.Links
            .Where(l => l.Name != link.Name && l is { State: LinkState.Up, Checking: false, Usable: true })
            .Select(l => _seen.GetValueOrDefault(l.Name))
            .FirstOrDefault(a => a is not null);
        return (PortalAnswer.OfVps(view.Answer, reached, elsewhere, [.. vps.Hosts, host]), view.Answer);
    }

    private async Task<HttpAnswer?> AskUrlAsync(Link link, Uri url, CancellationToken cancellationToken)
    {
        IPAddress[] addresses;
        try
        {
            addresses = await Dns.GetHostAddressesAsync(url.DnsSafeHost, cancellationToken);
        }
        catch (SocketException)
        {
            // A resolver behind the portal: nothing is learned from it.
            return null;
        }

        foreach (var address in addresses)
        {
            if (link.NextHop(address.AddressFamily) is not null && link.Address(address.AddressFamily) is { } source)
            {
                var server = new IPEndPoint(address, url.Port);
                var view = await PortalProbe.RunAsync(
                    new ProbePath(link.Interface, link.Index, source, server), server, url.Authority, url.PathAndQuery, _time, cancellationToken);
                return view.Answer;
            }
        }

        return null;
    }

    /// <param name="portal">Where it leads; null: there is none.</param>
    private void Tell(Link link, Watched watched, string? portal)
    {
        if (portal is not null && watched.Portal is null)
        {
            _logger.PortalMet(link.Name, portal.Length > 0 ? portal : "no page named");
            _events.Add(EventAction.Portal, link.Name, link.Interface, portal.Length > 0 ? portal : null);
        }
        else if (portal is null && watched.Portal is not null)
        {
            _logger.PortalGone(link.Name);
            _events.Add(EventAction.PortalGone, link.Name, link.Interface, null);
        }

        // The page often has a new token with each answer: the first one stays.
        watched.Portal = portal is null ? null : watched.Portal ?? portal;
        _conditions.SetPortal(link.Name, watched.Portal);
    }

    /// <summary>One link's loop and what it knows.</summary>
    private sealed class Watched : IDisposable
    {
        private readonly SemaphoreSlim _wake = new(0, 1);
        private readonly Lazy<Task> _loop;

        internal Watched(Func<Watched, Task> run)
        {
            // Of two that are made at the same moment only the one in the dictionary runs.
            _loop = new Lazy<Task>(() => run(this));
        }

        internal Task Loop => _loop.Value;

        internal LoginBackOff BackOff { get; } = new();

        /// <summary>Where the portal leads; null: there is none.</summary>
        internal string? Portal { get; set; }

        internal void Wake()
        {
            _ = Loop;
            try
            {
                _wake.Release();
            }
            catch (Exception e) when (e is SemaphoreFullException or ObjectDisposedException)
            {
                // Woken already, or over.
            }
        }

        internal async Task WaitAsync(TimeSpan atMost, TimeProvider time, CancellationToken stop)
        {
            using var limit = new CancellationTokenSource(atMost, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stop);
            try
            {
                await _wake.WaitAsync(either.Token);
            }
            catch (OperationCanceledException)
            {
                // Time for a look, or the end.
            }
        }

        public void Dispose() => _wake.Dispose();
    }
}

/// <param name="Addresses">Where it is, the preferred first.</param>
/// <param name="Hosts">Its names and addresses.</param>
internal sealed record VpsAsPortalsSeeIt(ImmutableArray<IPEndPoint> Addresses, IReadOnlyCollection<string> Hosts);
