using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using Aggregator.Gateway.Carriers;
using Aggregator.Interop;
using Aggregator.Mptcp;
using Aggregator.Netlink;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Lanes;

/// <summary>
/// Joins the other WANs to connections as backup subflows, each connection by itself (MPTCP's user-space path manager): a connection
/// then outlives its WAN, and no byte of it goes elsewhere while its own WAN works.
/// One loop: something changed, or a second went by → look at each connection's subflows → ask for those that are missing, end those whose WAN is gone.
/// </summary>
internal sealed class BackupPaths : IConnectionPaths, IAsyncDisposable
{
    /// <summary>A join that was not answered by now will not be; another is asked for then.</summary>
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(1);

    /// <summary>A WAN whose joins come to nothing (a box drops them) is asked again after twice as long each time, up to this.</summary>
    private static readonly TimeSpan MostPatience = TimeSpan.FromMinutes(5);

    private readonly IWanList _wans;
    private readonly MptcpPathManager _manager;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly Lock _lock = new();
    private readonly List<Kept> _kept = [];
    private readonly SubflowLook _look = new();
    private readonly Task _loop;

    private BackupPaths(IWanList wans, MptcpPathManager manager, TimeProvider time, ILogger logger)
    {
        _wans = wans;
        _manager = manager;
        _time = time;
        _logger = logger;
        _wans.Changed += Wake;
        _loop = RunAsync(_stopping.Token);
    }

    /// <summary>Null: the kernel cannot do it for a connection by itself, and <paramref name="reason"/> says why; connections have one path then.</summary>
    internal static async Task<BackupPaths?> OpenAsync(bool byConnection, IWanList wans, TimeProvider time, ILogger logger, CancellationToken cancellationToken)
    {
        MptcpPathManager? manager = byConnection ? await MptcpPathManager.OpenAsync(cancellationToken) : null;
        logger.BackupWay(manager is null ? "none, this kernel has no path manager for single connections" : "subflows by connection");
        return manager is null ? null : new BackupPaths(wans, manager, time, logger);
    }

    public void Keep(Socket socket, WanPath path)
    {
        // Nothing to keep on a connection that is bound to no WAN, or that goes on as plain TCP.
        if (path.Interface is null || MptcpInfo.TryRead(socket, out MptcpInfo info) != 0 || info.FellBack || socket.RemoteEndPoint is not IPEndPoint remote)
        {
            return;
        }

        lock (_lock)
        {
            _kept.Add(new Kept(socket, path, remote, info.Token));
        }

        Wake();
    }

    public async ValueTask DisposeAsync()
    {
        _wans.Changed -= Wake;
        await _stopping.CancelAsync();
        await _loop;
        _manager.Dispose();
        _stopping.Dispose();
    }

    private void Wake() => _wake.Writer.TryWrite(true);

    private async Task RunAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await ReviewAsync(stopping);
                await WaitAsync(stopping);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                _logger.BackupFault(e);
                await Task.Delay(LookAgain, _time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
            }
        }
    }

    private async Task WaitAsync(CancellationToken stopping)
    {
        using var pause = new CancellationTokenSource(LookAgain, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(pause.Token, stopping);
        try
        {
            await _wake.Reader.ReadAsync(either.Token);
        }
        catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
        {
            // Time for a look.
        }
    }

    private async Task ReviewAsync(CancellationToken stopping)
    {
        Kept[] all;
        lock (_lock)
        {
            all = [.. _kept];
        }

        var wans = _wans.Current;
        foreach (Kept kept in all)
        {
            if (!_look.TryAt(kept.Socket))
            {
                lock (_lock)
                {
                    _kept.Remove(kept);
                }

                continue;
            }

            for (byte i = 0; i < wans.Length; i++)
            {
                // Ids tell a connection's paths apart for its peer; 0 is the first subflow's.
                await ReviewAsync(kept, wans[i], (byte)(i + 1), stopping);
            }
        }
    }

    private async ValueTask ReviewAsync(Kept kept, Wan wan, byte id, CancellationToken stopping)
    {
        if (wan.Interface == kept.Path.Interface)
        {
            return;
        }

        IPAddress? local = wan.Address(kept.Remote.AddressFamily);
        Attempt attempt = kept.Attempts.TryGetValue(wan.Interface, out Attempt? known) ? known : kept.Attempts[wan.Interface] = new Attempt();
        if (local is null || !wan.IsUsable)
        {
            // Ended, and not left to its backed-off timers: a fresh one comes when the WAN does.
            if (attempt.Local is { } old && _look.From(old) is { } dead)
            {
                await _manager.DestroySubflowAsync(kept.Token, dead.Local, dead.Remote, stopping);
            }

            attempt.Reset();
            return;
        }

        if (_look.From(local) is not null || _time.GetTimestamp() < attempt.NotBefore)
        {
            return;
        }

        NetlinkResult result = await _manager.CreateSubflowAsync(
            kept.Token,
            new MptcpEndpoint { Address = local, Id = id, InterfaceIndex = wan.Index, Flags = MptcpEndpointFlags.Subflow | MptcpEndpointFlags.Backup },
            kept.Remote,
            stopping);
        _logger.BackupAsked(kept.Token, wan.Name, result.IsSuccess ? "asked for" : result.ToString());
        attempt.Asked(local, _time);
    }

    /// <summary>One connection.</summary>
    private sealed record Kept(Socket Socket, WanPath Path, IPEndPoint Remote, uint Token)
    {
        /// <summary>By interface.</summary>
        internal Dictionary<string, Attempt> Attempts { get; } = [];
    }

    /// <summary>What was asked for on one WAN.</summary>
    private sealed class Attempt
    {
        private TimeSpan _patience;

        /// <summary>From where; null: nothing yet.</summary>
        internal IPAddress? Local { get; private set; }

        /// <summary>A timestamp.</summary>
        internal long NotBefore { get; private set; }

        internal void Asked(IPAddress local, TimeProvider time)
        {
            _patience = _patience == TimeSpan.Zero ? 2 * LookAgain : 2 * _patience;
            _patience = _patience < MostPatience ? _patience : MostPatience;
            Local = local;
            NotBefore = time.GetTimestamp() + (long)(_patience.TotalSeconds * time.TimestampFrequency);
        }

        internal void Reset()
        {
            _patience = TimeSpan.Zero;
            Local = null;
            NotBefore = 0;
        }
    }
}
