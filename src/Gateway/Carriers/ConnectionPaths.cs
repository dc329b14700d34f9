using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using Aggregator.Interop;
using Aggregator.Mptcp;
using Aggregator.Netlink;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Carriers;

/// <summary>
/// Gives each connection a subflow from every path, each connection by itself (MPTCP's user-space path manager). Unlike the kernel's own, which opens
/// a connection's subflow from an endpoint once, it opens again what was lost, and touches no other connection for it.
/// One loop: paths changed → what starts at those that are gone is ended, every connection reviewed; a connection came → it is; a second
/// went by → the next part of them, in turn.
/// </summary>
internal sealed class ConnectionPaths : IConnectionPaths, IAsyncDisposable
{
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(1);

    /// <summary>A second; up to so many a lost subflow is found within one, and ten thousand are gone through in five for a hundredth of a processor.</summary>
    private const int LooksInTurn = 2048;

    private readonly Func<ImmutableArray<JoinPath>> _wanted;
    private readonly MptcpPathManager _manager;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly ConcurrentQueue<Socket> _fresh = new();
    private readonly List<KeptConnection> _kept = [];
    private readonly SubflowLook _look = new();
    private readonly Task _loop;
    private ImmutableArray<JoinPath> _paths = [];
    private SubflowSockets? _sockets;
    private int _turn;
    private int _again;
    private int _count;

    private ConnectionPaths(Func<ImmutableArray<JoinPath>> wanted, MptcpPathManager manager, TimeProvider time, ILogger logger)
    {
        (_wanted, _manager, _time, _logger) = (wanted, manager, time, logger);
        _loop = Task.Run(() => RunAsync(_stopping.Token));
    }

    /// <summary>For the network namespace of the calling thread. Null: the kernel has no path manager.</summary>
    /// <param name="wanted">The paths at this moment, none from one address twice; see <see cref="Wake"/>.</param>
    internal static async Task<ConnectionPaths?> OpenAsync(
        Func<ImmutableArray<JoinPath>> wanted, TimeProvider time, ILogger logger, CancellationToken cancellationToken)
    {
        MptcpPathManager? manager = await MptcpPathManager.OpenAsync(cancellationToken);
        return manager is null ? null : new ConnectionPaths(wanted, manager, time, logger);
    }

    /// <summary>Connections that are seen to at this moment.</summary>
    internal int Kept => Volatile.Read(ref _count);

    /// <summary>The paths may have changed.</summary>
    internal void Wake() => _wake.Writer.TryWrite(true);

    public void Keep(Socket socket, WanPath path)
    {
        _fresh.Enqueue(socket);
        Wake();
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _loop;
        _manager.Dispose();
        _sockets?.Dispose();
        _stopping.Dispose();
    }

    private async Task RunAsync(CancellationToken stopping)
    {
        long looked = _time.GetTimestamp();
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await FollowAsync(stopping);
                await TakeFreshAsync(stopping);
                if (_time.GetElapsedTime(looked) >= LookAgain)
                {
                    looked = _time.GetTimestamp();
                    // Everyone within four seconds, however many.
                    await ReviewAsync(Math.Max(LooksInTurn, _kept.Count / 4), stopping);
                }

                Volatile.Write(ref _count, _kept.Count);
                await WaitAsync(LookAgain - _time.GetElapsedTime(looked), stopping);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                _logger.PathsFault(e);
                await Task.Delay(LookAgain, _time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
            }
        }
    }

    private async Task WaitAsync(TimeSpan longest, CancellationToken stopping)
    {
        using var pause = new CancellationTokenSource(longest > TimeSpan.Zero ? longest : TimeSpan.Zero, _time);
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

    /// <summary>Brings all connections to the paths of now, if these have changed.</summary>
    private async Task FollowAsync(CancellationToken stopping)
    {
        ImmutableArray<JoinPath> wanted = _wanted();
        if (wanted.SequenceEqual(_paths))
        {
            return;
        }

        JoinPath[] gone = [.. _paths.Where(p => !wanted.Any(w => w.IsSamePlace(p)))];
        _paths = wanted;
        _logger.Paths(wanted.IsEmpty ? "none" : string.Join(", ", wanted));
        foreach (JoinPath path in gone)
        {
            await LeaveAsync(path.Address, path.Interface, stopping);
        }

        await ReviewAsync(_kept.Count, stopping);
    }

    private async Task TakeFreshAsync(CancellationToken stopping)
    {
        while (_fresh.TryDequeue(out Socket? socket))
        {
            if (TryKeep(socket) is { } kept)
            {
                _kept.Add(kept);
                await ReviewAsync(kept, stopping);
            }
        }
    }

    private static KeptConnection? TryKeep(Socket socket)
    {
        try
        {
            return KeptConnection.TryOf(socket, out KeptConnection? kept) ? kept : null;
        }
        catch (Exception e) when (e is ObjectDisposedException or SocketException)
        {
            // It has ended meanwhile.
            return null;
        }
    }

    private async Task ReviewAsync(int most, CancellationToken stopping)
    {
        for (int n = Math.Min(most, _kept.Count); n > 0 && _kept.Count > 0; n--)
        {
            _turn = _turn < _kept.Count ? _turn : 0;
            if (await ReviewAsync(_kept[_turn], stopping))
            {
                _turn++;
            }
            else
            {
                // Order means nothing here.
                _kept[_turn] = _kept[^1];
                _kept.RemoveAt(_kept.Count - 1);
            }
        }

        if (_again > 0)
        {
            _logger.SubflowsAgain(_again);
            _again = 0;
        }
    }

    /// <returns>False: it has ended, or goes on as plain TCP.</returns>
    private async ValueTask<bool> ReviewAsync(KeptConnection kept, CancellationToken stopping)
    {
        if (!_look.TryAt(kept.Socket))
        {
            return false;
        }

        foreach (JoinPath path in _paths)
        {
            if (path.Address.AddressFamily != kept.Remote.AddressFamily || kept.For(path.Address) is not { } asked)
            {
                continue;
            }

            if (_look.From(path.Address) is not { } found)
            {
                await CreateAsync(kept, path, asked, stopping);
                continue;
            }

            asked.Found(_time);
            if (asked.Backup != path.Backup)
            {
                asked.Backup = path.Backup;
                await _manager.SetSubflowFlagsAsync(kept.Token, Endpoint(path, asked) with { Address = found.Local.Address, Port = (ushort)found.Local.Port }, found.Remote, stopping);
            }
        }

        return true;
    }

    private async ValueTask CreateAsync(KeptConnection kept, JoinPath path, KeptConnection.Asked asked, CancellationToken stopping)
    {
        if (!asked.IsDue(_time))
        {
            return;
        }

        _again += asked.Worked ? 1 : 0;
        asked.Begin(path.Backup, _time);
        NetlinkResult result = await _manager.CreateSubflowAsync(kept.Token, Endpoint(path, asked), kept.Remote, stopping);
        if (_logger.IsEnabled(LogLevel.Debug))
        {
            _logger.SubflowAsked(kept.Token, path.ToString(), result.IsSuccess ? "asked for" : result.ToString());
        }
    }

    private static MptcpEndpoint Endpoint(JoinPath path, KeptConnection.Asked asked) => new()
    {
        Address = path.Address,
        Id = asked.Id,
        InterfaceIndex = path.Interface,
        Flags = MptcpEndpointFlags.Subflow | (path.Backup ? MptcpEndpointFlags.Backup : 0),
    };

    /// <summary>
    /// Tells the peers that the address is gone (REMOVE_ADDR), as the kernel does for an endpoint, and ends what is left of its subflows: a subflow that is
    /// only closed goes on to acknowledge what a peer that did not hear of it sends, and throws it away (subflow->closing, net/mptcp/protocol.c, 6.18).
    /// </summary>
    private async Task LeaveAsync(IPAddress local, int device, CancellationToken stopping)
    {
        int left = 0;
        foreach (KeptConnection kept in _kept)
        {
            KeptConnection.Asked? asked = kept.Forget(local);
            if (!_look.TryAt(kept.Socket) || _look.From(local) is not { } subflow)
            {
                continue;
            }

            left++;
            await _manager.RemoveAsync(kept.Token, subflow.Local.Equals(kept.Own) || asked is null ? (byte)0 : asked.Id, stopping);
        }

        try
        {
            _sockets ??= SubflowSockets.Open();
            foreach (SubflowSocket subflow in await _sockets.FromAsync(local, device, stopping))
            {
                NetlinkResult result = await _sockets.EndAsync(subflow, stopping);
                if (result.Errno == Libc.EOPNOTSUPP)
                {
                    _logger.SubflowsNotEnded("this kernel cannot end connections (CONFIG_INET_DIAG_DESTROY)");
                    break;
                }
            }
        }
        catch (Exception e) when (e is LibcException or NetlinkException)
        {
            _logger.SubflowsNotEnded(e.Message);
        }

        if (left > 0)
        {
            _logger.PathLeft(left, local.ToString());
        }
    }
}
