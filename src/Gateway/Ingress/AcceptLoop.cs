using System.Net.Sockets;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Ingress;

/// <summary>
/// Accepts on one socket, for as long as it lives, whatever happens to single connections or to the host's descriptors,
/// and runs each connection by itself, at most <see cref="IngressLimits.MaxConnections"/> at once.
/// </summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage(
    "Usage", "CA2213", Justification = "The semaphore outlives the listener: flows under way release their slots later.")]
internal sealed class AcceptLoop : IAsyncDisposable
{
    private readonly string _name;
    private readonly Socket _listener;
    private readonly Func<Socket, CancellationToken, Task> _serve;
    private readonly IngressLimits _limits;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stopping = new();
    private readonly SemaphoreSlim _slots;
    private readonly Task _loop;

    /// <param name="listener">Owned from now on.</param>
    /// <param name="serve">Serves one client; the socket is disposed after it. The token is cancelled when the listener is disposed.</param>
    internal AcceptLoop(
        string name, Socket listener, Func<Socket, CancellationToken, Task> serve, IngressLimits limits, TimeProvider time, ILogger logger)
    {
        _name = name;
        _listener = listener;
        _serve = serve;
        _limits = limits;
        _time = time;
        _logger = logger;
        _slots = new SemaphoreSlim(limits.MaxConnections);
        Stopping = _stopping.Token;
        _loop = Task.Run(AcceptAsync);
    }

    private CancellationToken Stopping { get; }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Dispose();
        await _loop;
        _stopping.Dispose();
        // _slots is left to the collector: flows under way release theirs when they end, after this.
    }

    private async Task AcceptAsync()
    {
        TimeSpan pause = TimeSpan.Zero;
        try
        {
            while (true)
            {
                await _slots.WaitAsync(Stopping);
                Socket? client = null;
                try
                {
                    client = await _listener.AcceptAsync(Stopping);
                    if (pause > TimeSpan.Zero)
                    {
                        _logger.AcceptRecovered(_name);
                        pause = TimeSpan.Zero;
                    }
                }
                catch (SocketException e) when (!Stopping.IsCancellationRequested)
                {
                    if (!IsOfOneConnection(e.SocketErrorCode))
                    {
                        // Logged at the first failure of a row and at each doubling, so at most a few lines and then one a second.
                        pause = pause == TimeSpan.Zero ? _limits.MinAcceptPause : Min(pause * 2, _limits.MaxAcceptPause);
                        _logger.AcceptFailed(_name, e.Message, pause.TotalMilliseconds);
                        await Task.Delay(pause, _time, Stopping);
                    }
                }
                finally
                {
                    if (client is null)
                    {
                        _slots.Release();
                    }
                }
                if (client is not null)
                {
                    _ = ServeAsync(client);
                }
            }
        }
        catch (Exception e) when (Stopping.IsCancellationRequested && e is OperationCanceledException or ObjectDisposedException or SocketException)
        {
            // Disposed.
        }
    }

    // accept(2): errors of a connection that went away before it was accepted are told here and mean nothing for the next.
    private static bool IsOfOneConnection(SocketError error) => error is SocketError.ConnectionAborted or SocketError.ConnectionReset
        or SocketError.NetworkDown or SocketError.NetworkUnreachable or SocketError.HostDown or SocketError.HostUnreachable
        or SocketError.ProtocolOption or SocketError.OperationNotSupported or SocketError.TimedOut;

    private static TimeSpan Min(TimeSpan a, TimeSpan b) => a < b ? a : b;

    private async Task ServeAsync(Socket client)
    {
        // Off the accept loop: one slow client must not hold up the next.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            await _serve(client, Stopping);
        }
        catch (Exception e)
        {
            _logger.ClientFault(e, _name);
        }
        finally
        {
            client.Dispose();
            _slots.Release();
        }
    }
}
