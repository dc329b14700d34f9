using System.Threading.Channels;
using Aggregator.Gateway.Carriers;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Links;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Direct;

/// <summary>
/// Decides whether new flows go out directly at this moment: always, where the configuration says so; otherwise while no VPS is reached.
/// One loop, woken by links and node.
/// </summary>
/// <param name="carries">Whether the carrier moves flows at this moment whatever the control session says; asked, never waited for.</param>
internal sealed class DirectSwitch(
    DirectConfig config, LinkMonitor links, INodeState node, Func<bool> carries, TimeProvider time, ILogger logger) : IAsyncDisposable
{
    /// <summary>Between "no link reaches the VPS" and going without it: a moment in which a link may come back.</summary>
    internal static readonly TimeSpan SilenceToLeave = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource _stop = new();
    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private Task _loop = Task.CompletedTask;
    private volatile DirectState _state = new(config.Always, config.Always ? "`direct: {always: true}`" : null);
    private long _silentSince;

    internal DirectState State => _state;

    /// <summary>After every change of <see cref="State"/>. Handlers return at once.</summary>
    internal event Action? Changed;

    internal void Start()
    {
        if (config.IsFallback && !config.Always)
        {
            links.Changed += Wake;
            node.Changed += Wake;
            _loop = Task.Run(() => RunAsync(_stop.Token));
        }
    }

    public async ValueTask DisposeAsync()
    {
        links.Changed -= Wake;
        node.Changed -= Wake;
        await _stop.CancelAsync();
        await _loop;
        _stop.Dispose();
    }

    /// <param name="was">Direct up to now.</param>
    /// <param name="silent">No link reaches the VPS; for how long. Null: one does, or nothing is known yet.</param>
    /// <param name="carrying">The carrier moves flows.</param>
    /// <returns>Why new flows go out directly; null: they do not.</returns>
    internal static string? Decide(bool was, NodeReachability reachability, TimeSpan? silent, bool carrying)
    {
        if (carrying && silent is null)
        {
            return null;
        }

        return reachability switch
        {
            NodeReachability.Unpaired => "no VPS is paired",
            _ when silent >= SilenceToLeave => "no link reaches the VPS",
            NodeReachability.Unreachable => "the VPS is not reached",
            // On the way back the session decides, not the first answer to a ping.
            NodeReachability.Connecting when was => "the VPS is not reached",
            _ => null,
        };
    }

    private void Wake() => _wake.Writer.TryWrite(true);

    private async Task RunAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            var silent = Silence();
            Set(Decide(_state.IsDirect, node.Reachability, silent, carries()));
            using var pause = new CancellationTokenSource(silent < SilenceToLeave ? SilenceToLeave - silent.Value + TimeSpan.FromMilliseconds(10) : Timeout.InfiniteTimeSpan, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(pause.Token, stop);
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

    private TimeSpan? Silence()
    {
        var used = links.Current.Links.Where(l => l.Role != LinkRole.Off).ToArray();
        if (used.Length == 0 || used.Any(l => l.State != LinkState.Down))
        {
            _silentSince = 0;
            return null;
        }

        long now = time.GetTimestamp();
        _silentSince = _silentSince == 0 ? now : _silentSince;
        return time.GetElapsedTime(_silentSince, now);
    }

    private void Set(string? reason)
    {
        var (was, now) = (_state, new DirectState(reason is not null, reason));
        if (was == now)
        {
            return;
        }

        _state = now;
        if (was.IsDirect != now.IsDirect)
        {
            if (now.IsDirect)
            {
                logger.DirectOn(reason!);
            }
            else
            {
                logger.DirectOff();
            }
        }

        Changed?.Invoke();
    }
}

/// <param name="Reason">Why; null where flows are carried.</param>
internal sealed record DirectState(bool IsDirect, string? Reason);
