using System.Net.Sockets;
using Aggregator.Settings;

namespace Aggregator.Gateway.Links;

/// <summary>
/// Asks the VPS over one WAN, again and again, and tells what it learns. ICMP echo; where no echo is ever answered but the VPS's TCP port
/// answers, connections to it (a refusal is an answer too).
/// </summary>
internal sealed class PathProbe(ProbePath path, TimeProvider time, Action<PathHealth> report)
{
    /// <summary>An unanswered echo is given this start before TCP is tried beside it.</summary>
    private static readonly TimeSpan EchoHeadStart = TimeSpan.FromMilliseconds(100);

    /// <summary>A connection a second would be much for the peer's log.</summary>
    private static readonly TimeSpan IdleConnects = TimeSpan.FromSeconds(2);

    /// <summary>After so many answers by TCP without one by ICMP, ICMP is taken as blocked on this path.</summary>
    private const int ConnectsToGiveUpEcho = 5;

    /// <summary>What a black-holed line's neighbours (ARP, announcements) stay below in the time of a probe.</summary>
    private const ulong TrafficBytes = 4096;

    private readonly ProbeTracker _tracker = new();
    private bool _echoAnswered;
    private int _connectAnswers;

    private bool EchoGivenUp => !_echoAnswered && _connectAnswers >= ConnectsToGiveUpEcho;

    internal async Task RunAsync(CancellationToken cancellationToken)
    {
        EchoSocket? echo = null;
        try
        {
            while (true)
            {
                long departure = time.GetTimestamp();
                ulong received = InterfaceCounters.Read(path.Interface)?.RxBytes ?? 0;
                string? problem;
                try
                {
                    echo ??= EchoGivenUp ? null : EchoSocket.TryOpen(path.Interface, path.Source, path.Target.Address, time);
                    problem = await AskAsync(echo, cancellationToken);
                }
                catch (SocketException e)
                {
                    // The device or the address changed under us; the next round opens anew.
                    problem = Reason.Of(e);
                    echo?.Dispose();
                    echo = null;
                }

                if (problem is not null)
                {
                    ulong since = (InterfaceCounters.Read(path.Interface)?.RxBytes ?? 0) - received;
                    _tracker.Missed(trafficArrives: since is >= TrafficBytes and < long.MaxValue, problem);
                }

                report(_tracker.Health);
                var interval = EchoGivenUp && _tracker.Health.State == LinkState.Up && problem is null ? IdleConnects : _tracker.Interval;
                var rest = interval - time.GetElapsedTime(departure);
                if (rest > TimeSpan.Zero)
                {
                    await Task.Delay(rest, time, cancellationToken);
                }
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Ended by its owner.
        }
        finally
        {
            echo?.Dispose();
        }
    }

    /// <returns>Null when an answer came; else what went wrong.</returns>
    private async Task<string?> AskAsync(EchoSocket? echo, CancellationToken cancellationToken)
    {
        using var round = new CancellationTokenSource(_tracker.Timeout, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(round.Token, cancellationToken);
        var asked = new List<Task<TimeSpan>>(2);
        Task<TimeSpan>? connect = null;
        try
        {
            if (echo is not null)
            {
                await echo.SendAsync(both.Token);
                asked.Add(echo.ReceiveAsync(both.Token).AsTask());
            }

            if (!_echoAnswered)
            {
                connect = ConnectAsync(echo is null ? TimeSpan.Zero : EchoHeadStart, both.Token);
                asked.Add(connect);
            }

            Exception? failure = null;
            while (asked.Count > 0)
            {
                var first = await Task.WhenAny(asked);
                asked.Remove(first);
                try
                {
                    _tracker.Answered(await first);
                    _echoAnswered |= first != connect;
                    _connectAnswers += first == connect ? 1 : 0;
                    return null;
                }
                catch (Exception e) when (e is SocketException or OperationCanceledException)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    failure = failure as SocketException ?? e;
                }
            }

            return failure is SocketException error ? Reason.Of(error) : "no answer from the VPS";
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return "no answer from the VPS";
        }
        finally
        {
            await both.CancelAsync();
            foreach (var task in asked)
            {
                // Ended by the cancellation above; its outcome is of no interest, but it must not be left running on a shared buffer.
                await task.ContinueWith(static t => t.Exception, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            }
        }
    }

    private async Task<TimeSpan> ConnectAsync(TimeSpan after, CancellationToken cancellationToken)
    {
        await Task.Delay(after, time, cancellationToken);
        using var socket = new Socket(path.Target.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        WanSocket.Bind(socket, path.Interface, path.Source);
        // Gone without a trace: no TIME_WAIT for a probe.
        socket.LingerState = new LingerOption(enable: true, seconds: 0);
        long departure = time.GetTimestamp();
        try
        {
            await socket.ConnectAsync(path.Target, cancellationToken);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionRefused)
        {
            // Its host answered.
        }

        return time.GetElapsedTime(departure);
    }
}
