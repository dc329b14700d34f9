using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Aggregator.Interop;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Carriers;

/// <summary>
/// Connects over one WAN after another, for each address of the VPS, and does not wait for a silent one: when a connect has not been answered within
/// <see cref="CarrierLimits.ConnectStagger"/>, or has failed, the next one starts beside it (as RFC 8305 does with addresses). Only connects race;
/// the handshake that follows is done once, so that a busy host does not do the work twice.
/// </summary>
internal sealed class ConnectRace(
    IPAddress[] addresses, ushort port, IWanSelector wans, Func<IPEndPoint, WanPath, CancellationToken, Task<Socket>> connect,
    CarrierLimits limits, TimeProvider time, ILogger logger) : IAsyncDisposable
{
    private readonly CancellationTokenSource _over = new();
    private readonly List<Task<Connected?>> _running = [];
    private readonly List<WanPath> _tried = [];
    private int _address;
    private int _attempts;

    /// <summary>Why the last attempt that ended without success did.</summary>
    internal Exception? LastError { get; private set; }

    /// <summary>The next connected socket, which is the caller's then; null when there is nothing left to try.</summary>
    internal async Task<Connected?> NextAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            bool more = TryStart();
            if (_running.Count == 0)
            {
                return null;
            }
            using var waiting = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            Task pause = Task.Delay(more ? limits.ConnectStagger : Timeout.InfiniteTimeSpan, time, waiting.Token);
            Task first = await Task.WhenAny([.. _running, pause]);
            await waiting.CancelAsync();
            cancellationToken.ThrowIfCancellationRequested();
            if (first is Task<Connected?> ended)
            {
                _running.Remove(ended);
                if (await ended is { } connected)
                {
                    return connected;
                }
            }
        }
    }

    /// <summary>Ends the attempts that are still under way.</summary>
    public async ValueTask DisposeAsync()
    {
        await _over.CancelAsync();
        foreach (Connected? connected in await Task.WhenAll(_running))
        {
            connected?.Socket.Dispose();
        }
        _over.Dispose();
    }

    private bool TryStart()
    {
        for (; _address < addresses.Length && _attempts < limits.MaxDialAttempts; _address++, _tried.Clear())
        {
            IPAddress address = addresses[_address];
            if (wans.TryPick(address.AddressFamily, CollectionsMarshal.AsSpan(_tried), out WanPath path))
            {
                _tried.Add(path);
                _attempts++;
                _running.Add(AttemptAsync(new IPEndPoint(address, port), path));
                return true;
            }
        }
        return false;
    }

    private async Task<Connected?> AttemptAsync(IPEndPoint remote, WanPath path)
    {
        try
        {
            return new Connected(await connect(remote, path, _over.Token), path);
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            LastError = e;
            logger.DialFailed(remote.ToString(), path.Interface ?? "any WAN", e.Message);
        }
        catch (OperationCanceledException)
        {
            // Another one won.
        }
        return null;
    }

    internal readonly record struct Connected(Socket Socket, WanPath Path);
}
