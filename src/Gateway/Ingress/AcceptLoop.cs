using System.Net.Sockets;

namespace Aggregator.Gateway.Ingress;

/// <summary>
/// Accepts on one socket, for as long as it lives, whatever happens to single connections or to the host's descriptors,
/// and runs each connection by itself, as long as there is a place for it in <see cref="IngressContext.Slots"/>.
/// </summary>
internal sealed class AcceptLoop : IAsyncDisposable
{
    private readonly string _name;
    private readonly Socket _listener;
    private readonly Func<Socket, CancellationToken, Task> _serve;
    private readonly Func<CancellationToken, ValueTask<Socket>> _accept;
    private readonly IngressContext _context;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _loop;

    /// <param name="listener">Owned from now on.</param>
    /// <param name="serve">Serves one client; the socket is disposed after it. The token is cancelled when the listener is disposed.</param>
    /// <param name="accept">For a test of what the kernel says only when the whole process is in trouble; else the listener's own.</param>
    internal AcceptLoop(
        string name, Socket listener, Func<Socket, CancellationToken, Task> serve, IngressContext context,
        Func<CancellationToken, ValueTask<Socket>>? accept = null)
    {
        _name = name;
        _listener = listener;
        _serve = serve;
        _accept = accept ?? listener.AcceptAsync;
        _context = context;
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
    }

    private async Task AcceptAsync()
    {
        TimeSpan pause = TimeSpan.Zero;
        try
        {
            while (true)
            {
                await _context.Slots.WaitAsync(Stopping);
                Socket? client = null;
                try
                {
                    client = await _accept(Stopping);
                    if (pause > TimeSpan.Zero)
                    {
                        _context.Logger.AcceptRecovered(_name);
                        pause = TimeSpan.Zero;
                    }
                }
                catch (SocketException e) when (!Stopping.IsCancellationRequested)
                {
                    if (!IsOfOneConnection(e.SocketErrorCode))
                    {
                        // Logged at the first failure of a row and at each doubling, so at most a few lines and then one a second.
                        pause = pause == TimeSpan.Zero ? _context.Limits.MinAcceptPause : Min(pause * 2, _context.Limits.MaxAcceptPause);
                        _context.Logger.AcceptFailed(_name, e.Message, pause.TotalMilliseconds);
                        await Task.Delay(pause, _context.Time, Stopping);
                    }
                }
                finally
                {
                    if (client is null)
                    {
                        _context.Slots.Release();
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
            _context.Logger.ClientFault(e, _name);
        }
        finally
        {
            client.Dispose();
            _context.Slots.Release();
        }
    }
}
