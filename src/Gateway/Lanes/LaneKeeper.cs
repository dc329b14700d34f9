using Aggregator.Gateway.Carriers;
using Aggregator.Gateway.Configuration;
using Aggregator.Trunk;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Lanes;

/// <summary>
/// Keeps one WAN's lane: dials while the WAN is usable, with growing pauses; follows its role; ends the lane when the WAN is switched off or has lost
/// its address; gives a silent lane company, which takes its place once it is through. One loop, woken by whatever changes.
/// </summary>
internal sealed class LaneKeeper : IAsyncDisposable
{
    private readonly string _name;
    private readonly IWanList _wans;
    private readonly TrunkLaneDialer _dialer;
    private readonly TrunkLimits _limits;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stopping = new();
    private readonly SemaphoreSlim _wake = new(0, 1);
    private readonly Task _loop;
    private volatile LiveLane? _live;
    private volatile string? _reason;
    private volatile bool _dialing;

    internal LaneKeeper(string name, IWanList wans, TrunkLaneDialer dialer, TrunkLimits limits, TimeProvider time, ILogger logger)
    {
        _name = name;
        _wans = wans;
        _dialer = dialer;
        _limits = limits;
        _time = time;
        _logger = logger;
        _loop = Task.Run(() => RunAsync(_stopping.Token));
    }

    internal string Name => _name;

    /// <summary>Null: none at present.</summary>
    internal LiveLane? Live => _live is { HasEnded: false } live ? live : null;

    /// <summary>Why there is none; null where there is nothing to say.</summary>
    internal string? Reason => _reason;

    /// <summary>A dial is under way or about to be.</summary>
    internal bool IsDialing => _dialing;

    /// <summary>After a lane came or went. Handlers return at once.</summary>
    internal event Action? Changed;

    private Wan? Wan
    {
        get
        {
            foreach (Wan wan in _wans.Current)
            {
                if (wan.Name == _name)
                {
                    return wan;
                }
            }

            return null;
        }
    }

    /// <summary>Something changed: links, the pairing, what the VPS allows.</summary>
    internal void Wake()
    {
        try
        {
            if (_wake.CurrentCount == 0)
            {
                _wake.Release();
            }
        }
        catch (Exception e) when (e is SemaphoreFullException or ObjectDisposedException)
        {
            // Woken already, or over.
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _loop;
        _live?.Lane.Close();
        _stopping.Dispose();
        _wake.Dispose();
    }

    private async Task RunAsync(CancellationToken stopping)
    {
        TimeSpan pause = TimeSpan.Zero;
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                if (_live is { } live)
                {
                    await WatchAsync(live, stopping);
                    pause = TimeSpan.Zero;
                    _live = null;
                    Changed?.Invoke();
                }
                else if (Wan is not { IsUsable: true } || _dialer.Target is null)
                {
                    (_dialing, pause) = (false, TimeSpan.Zero);
                    await _wake.WaitAsync(stopping);
                }
                else if (await TryDialAsync(null, stopping) is { } dialled)
                {
                    Take(dialled);
                }
                else
                {
                    pause = pause == TimeSpan.Zero ? _limits.MinRedialPause : pause * 2 < _limits.MaxRedialPause ? pause * 2 : _limits.MaxRedialPause;
                    await PauseAsync(pause, stopping);
                }
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                _logger.KeeperFault(_name, e);
                await Task.Delay(_limits.MaxRedialPause, _time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
            }
        }
    }

    private void Take(LiveLane lane)
    {
        _live = lane;
        _reason = null;
        _dialing = false;
        _logger.LaneUp(_name, lane.Lane.Id, lane.Local?.ToString() ?? "?", lane.Look.FellBack ? "plain TCP" : "MPTCP");
        Changed?.Invoke();
    }

    /// <summary>Until the lane has ended, or is not wanted any more and was closed.</summary>
    private async Task WatchAsync(LiveLane live, CancellationToken stopping)
    {
        while (!live.HasEnded)
        {
            Wan? wan = Wan;
            if (!IsWanted(live, wan, out string why))
            {
                _logger.LaneClosed(_name, live.Lane.Id, why);
                if (wan is not null && wan.Has(live.Path.Source!))
                {
                    // What it carries at this moment still arrives; the rest goes over the others.
                    live.Lane.Retire();
                }
                else
                {
                    live.Lane.Close();
                }

                await live.Lane.Ended.WaitAsync(stopping);
                break;
            }

            if (wan is not null && TrunkLaneDialer.RoleOf(wan) is var role && role != live.Role)
            {
                live.Role = role;
                live.Lane.SetRole(role);
            }

            // Looked at while the link is away too: what has lasted for the whole outage need not last longer when it is back.
            string? need = NeedsCompany(live);
            if (wan is { IsUsable: true } && need is not null && await TryDialAsync(PatienceWith(wan), stopping) is { } fresh)
            {
                _logger.LaneReplaced(_name, live.Lane.Id, fresh.Lane.Id, need);
                live.Lane.Close();
                Take(fresh);
                live = fresh;
                continue;
            }

            await Task.WhenAny(live.Lane.Ended, WokenAsync(_limits.LookAgain, stopping));
            stopping.ThrowIfCancellationRequested();
        }

        LaneEnd end = await live.Lane.Ended;
        _reason = end.Detail ?? end.Reason.ToString();
        if (end.Reason != LaneEndReason.Closed)
        {
            _logger.LaneEnded(_name, live.Lane.Id, end.Reason.ToString(), end.Detail ?? "");
        }
    }

    /// <summary>Whether the lane can stay, apart from whether it carries at present.</summary>
    private bool IsWanted(LiveLane live, Wan? wan, out string why)
    {
        why = wan is null or { Role: LinkRole.Off } ? "the link is switched off"
            : wan.Interface != live.Path.Interface || (live.Path.Source is { } source && !wan.Has(source)) ? "the link has lost its address"
            : !_dialer.IsCurrent(live) ? "the VPS or its terms are others now"
            : "";
        return why.Length == 0;
    }

    /// <summary>Its own path does not answer: a fresh connection is through at once when the link is back. Null: all is well.</summary>
    private string? NeedsCompany(LiveLane live)
    {
        live.Look.TryRead(out LaneReading reading);
        live.ElsewhereSince = live.Look.IsElsewhere ? live.ElsewhereSince ?? _time.GetTimestamp() : null;
        return live.Look.HasLostOwnPath ? "its subflow over this link is closed"
            // On a long line the kernel also helps itself so while TCP repairs a loss. A new connection would have to find the line's rate again.
            : live.ElsewhereSince is { } since && _time.GetElapsedTime(since) >= _limits.SilenceToReplace + (2 * reading.Rtt) ? "the kernel sends its bytes over other links"
            : live.Lane.StalledFor is { } silent && silent >= _limits.SilenceToReplace ? FormattableString.Invariant($"nothing was heard of it for {silent.TotalMilliseconds:0} ms")
            : null;
    }

    /// <summary>
    /// A connection beside a silent lane takes three round trips if the link is back, and is of no use if it is not: the next one begins with
    /// a fresh SYN, where this one's would wait for its timer.
    /// </summary>
    private TimeSpan PatienceWith(Wan wan) => _limits.LeastPatience + TimeSpan.FromMilliseconds(6 * (wan.RttMs ?? 0));

    private async Task<LiveLane?> TryDialAsync(TimeSpan? atMost, CancellationToken stopping)
    {
        using var limit = new CancellationTokenSource(atMost ?? Timeout.InfiniteTimeSpan, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stopping);
        try
        {
            _dialing = true;
            return await _dialer.DialAsync(() => Wan, either.Token);
        }
        catch (DialException e)
        {
            Failed(e.Message);
        }
        catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
        {
            Failed("no answer");
        }

        return null;
    }

    private void Failed(string reason)
    {
        if (_live is null && _reason != reason)
        {
            _logger.LaneFailed(_name, reason);
            _reason = reason;
        }
    }

    private async Task PauseAsync(TimeSpan pause, CancellationToken stopping) => await WokenAsync(pause, stopping);

    /// <summary>Until woken, but no longer than <paramref name="atMost"/>.</summary>
    private async Task WokenAsync(TimeSpan atMost, CancellationToken stopping)
    {
        try
        {
            await _wake.WaitAsync(atMost, stopping);
        }
        catch (OperationCanceledException)
        {
            // The caller sees it.
        }
    }
}
