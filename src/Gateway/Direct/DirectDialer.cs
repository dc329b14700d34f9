using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Aggregator.Flows;
using Aggregator.Gateway.Links;

namespace Aggregator.Gateway.Direct;

/// <summary>
/// Connects to a target over one WAN, and over the next beside it when that one is silent: a WAN that has just died costs a connection a second,
/// not its life. What the target itself says (a refusal) is final.
/// </summary>
internal sealed class DirectDialer(TimeProvider time)
{
    /// <summary>A satellite's round trip is 0.6 s.</summary>
    private static readonly TimeSpan Stagger = TimeSpan.FromSeconds(1);

    /// <summary>For all of it; as the VPS's dial (clients give up at about that time).</summary>
    private static readonly TimeSpan TotalTime = TimeSpan.FromSeconds(10);

    /// <summary>Addresses × WANs.</summary>
    private const int MaxAttempts = 8;

    /// <param name="attempts">In the order of preference.</param>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> fired.</exception>
    internal async Task<DirectDial> DialAsync(ImmutableArray<DirectAttempt> attempts, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(TotalTime, time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        var running = new List<Task<DirectDial>>();
        var failure = new DirectDial(OpenResult.NoCarrier, null, null);
        int next = 0;
        try
        {
            while (true)
            {
                if (next < attempts.Length && next < MaxAttempts)
                {
                    running.Add(AttemptAsync(attempts[next++], stop.Token));
                }

                if (running.Count == 0)
                {
                    return failure;
                }

                bool more = next < attempts.Length && next < MaxAttempts;
                using var waiting = CancellationTokenSource.CreateLinkedTokenSource(stop.Token);
                var pause = Task.Delay(more ? Stagger : Timeout.InfiniteTimeSpan, time, waiting.Token);
                var first = await Task.WhenAny([.. running, pause]);
                await waiting.CancelAsync();
                if (first is not Task<DirectDial> ended)
                {
                    stop.Token.ThrowIfCancellationRequested();
                    continue;
                }

                running.Remove(ended);
                var dial = await ended;
                if (dial.Result is OpenResult.Opened or OpenResult.Refused)
                {
                    return dial;
                }

                failure = dial;
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new DirectDial(OpenResult.TimedOut, null, null);
        }
        finally
        {
            await stop.CancelAsync();
            foreach (var rest in running)
            {
                // Told to stop; one may have got through all the same.
                _ = rest.ContinueWith(
                    static t =>
                    {
                        if (t.IsCompletedSuccessfully)
                        {
                            t.Result.Socket?.Dispose();
                        }
                    },
                    CancellationToken.None,
                    TaskContinuationOptions.ExecuteSynchronously,
                    TaskScheduler.Default);
            }
        }
    }

    private static async Task<DirectDial> AttemptAsync(DirectAttempt attempt, CancellationToken cancellationToken)
    {
        Socket? socket = null;
        try
        {
            socket = new Socket(attempt.Target.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            WanSocket.Bind(socket, attempt.Way.Interface, attempt.Way.Source);
            await socket.ConnectAsync(attempt.Target, cancellationToken);
            var opened = new DirectDial(OpenResult.Opened, socket, attempt.Way);
            socket = null;
            return opened;
        }
        catch (SocketException e)
        {
            return new DirectDial(Meaning(e.SocketErrorCode), null, attempt.Way);
        }
        finally
        {
            socket?.Dispose();
        }
    }

    private static OpenResult Meaning(SocketError error) => error switch
    {
        SocketError.ConnectionRefused or SocketError.ConnectionReset => OpenResult.Refused,
        SocketError.TimedOut => OpenResult.TimedOut,
        SocketError.NetworkUnreachable or SocketError.NetworkDown => OpenResult.NetworkUnreachable,
        SocketError.HostUnreachable or SocketError.HostDown => OpenResult.HostUnreachable,
        SocketError.AccessDenied => OpenResult.NotAllowed,
        // No descriptors, no memory; the WAN's device or address is gone.
        SocketError.TooManyOpenSockets or SocketError.NoBufferSpaceAvailable => OpenResult.Busy,
        SocketError.AddressNotAvailable => OpenResult.NetworkUnreachable,
        _ => OpenResult.Failed,
    };
}

internal readonly record struct DirectAttempt(DirectWay Way, IPEndPoint Target);

/// <param name="Socket">The caller's; null unless opened.</param>
/// <param name="Way">Over which WAN; null where none was tried.</param>
internal readonly record struct DirectDial(OpenResult Result, Socket? Socket, DirectWay? Way);
