using System.Collections.Concurrent;
using System.Net;
using System.Threading.Channels;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Links;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Speed;

/// <summary>
/// Knows of each link whether MPTCP works over it: by a verification when the link's path is new (at the start, after an outage, with another address),
/// when connections show something else, and every few hours. Speed test and doctor tell it what they found, so all three say the same.
/// One loop; all paths are looked at together, because joins need company.
/// </summary>
internal sealed class MptcpWatch : IAsyncDisposable
{
    /// <summary>A look is one connection of 6 KB a link (two where the options are gone): under a megabyte a month on a metered line.</summary>
    private static readonly TimeSpan Again = TimeSpan.FromHours(6);

    /// <summary>Older than this it is no answer: looks have failed since.</summary>
    private static readonly TimeSpan Fresh = 2 * Again;

    /// <summary>Links that come up together are looked at together, with their endpoints in place.</summary>
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(2);

    /// <summary>What could not be found out, or what connections contradict, is looked at again after this; it doubles up to <see cref="Again"/>.</summary>
    private static readonly TimeSpan FirstDoubt = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<SpeedPath, Known> _known = new();
    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly CancellationTokenSource _stopping = new();
    private readonly Func<LinkSnapshot> _links;
    private readonly Func<IReadOnlyList<IPEndPoint>> _vps;
    private readonly Func<PathVerifier?> _verifier;
    private readonly LinkLoads _loads;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private Task _loop = Task.CompletedTask;

    /// <param name="vps">Where the VPS is; empty while unpaired or not connected.</param>
    /// <param name="verifier">Null: nobody to ask.</param>
    internal MptcpWatch(
        Func<LinkSnapshot> links, Func<IReadOnlyList<IPEndPoint>> vps, Func<PathVerifier?> verifier, LinkLoads loads, TimeProvider time, ILogger logger)
    {
        (_links, _vps, _verifier, _loads, _time, _logger) = (links, vps, verifier, loads, time, logger);
    }

    internal void Start() => _loop = RunAsync(_stopping.Token);

    /// <summary>Something changed that may have made a path new.</summary>
    internal void Wake() => _wake.Writer.TryWrite(true);

    /// <summary>For the status: the last verification of this very path, or else what the carrier's connections show.</summary>
    /// <param name="seen">What these show, as `v1`, `stripped` or `unknown`.</param>
    internal string Verdict(Link link, string seen)
    {
        if (SpeedPath.Of(link, _vps()) is not { } path || !_known.TryGetValue(path, out Known? known) || known.Verdict.Mptcp == PathMptcp.Unknown
            || _time.GetElapsedTime(known.At) > Fresh)
        {
            return seen;
        }

        if (seen != "unknown" && seen != known.Verdict.Name && !known.Doubted)
        {
            known.Doubted = true;
            Wake();
        }

        return known.Verdict.Name;
    }

    /// <summary>What a verification found, whoever made it.</summary>
    internal void Take(IReadOnlyList<SpeedPath> paths, IReadOnlyList<PathVerdict> verdicts)
    {
        foreach (var (path, verdict) in paths.Zip(verdicts))
        {
            TimeSpan patience = _known.TryGetValue(path, out Known? before) && (before.Doubted || before.Verdict.Mptcp == PathMptcp.Unknown)
                ? 2 * before.Patience : FirstDoubt;
            _known[path] = new Known(verdict, _time.GetTimestamp(), patience < Again ? patience : Again);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _loop;
        _stopping.Dispose();
    }

    private async Task RunAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await WaitAsync(stopping);
                await Task.Delay(Settling, _time, stopping);
                _wake.Reader.TryRead(out _);
                await ReviewAsync(stopping);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                _logger.WatchFault(e);
            }
        }
    }

    private async Task ReviewAsync(CancellationToken stopping)
    {
        // A speed test verifies the paths itself, and what it loads would be slow to answer.
        if (!_loads.Current.IsEmpty || _verifier() is not { } verifier)
        {
            return;
        }

        Link[] links = [.. _links().Links.Where(l => l is { Role: not LinkRole.Off, State: not LinkState.Down })];
        SpeedPath[] paths = [.. links.Select(l => SpeedPath.Of(l, _vps())).OfType<SpeedPath>()];
        foreach (SpeedPath gone in _known.Keys.Except(paths))
        {
            // Its link was away: something else may be in the way when it comes back.
            _known.TryRemove(gone, out _);
        }

        if (paths.Any(IsDue))
        {
            Take(paths, await verifier.VerifyAsync(paths, p => links.Any(l => l.Name == p.Link), stopping));
            _logger.PathsVerified(string.Join(", ", paths.Select(p => $"{p.Link} {(_known.TryGetValue(p, out Known? known) ? known.Verdict.Name : "?")}")));
        }
    }

    private bool IsDue(SpeedPath path) => !_known.TryGetValue(path, out Known? known)
        || _time.GetElapsedTime(known.At) >= (known.Doubted || known.Verdict.Mptcp == PathMptcp.Unknown ? known.Patience : Again);

    private async Task WaitAsync(CancellationToken stopping)
    {
        using var pause = new CancellationTokenSource(FirstDoubt, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(pause.Token, stopping);
        try
        {
            await _wake.Reader.ReadAsync(either.Token);
        }
        catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
        {
            // Time for a look at what is due.
        }
    }

    /// <param name="At">A timestamp.</param>
    /// <param name="Patience">Until a doubtful one is looked at again.</param>
    private sealed record Known(PathVerdict Verdict, long At, TimeSpan Patience)
    {
        /// <summary>Connections show something else.</summary>
        internal bool Doubted { get; set; }
    }
}
