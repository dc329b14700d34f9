using System.Net.Sockets;
using Aggregator.Settings;

namespace Aggregator.Gateway.Links;

/// <summary>
/// Asks the VPS over one WAN, again and again, and tells what it learns. ICMP echo; as long as no echo was ever answered, and when echoes
/// are missed, also connections to the VPS's TCP port (a refusal is an answer too). Where only the port answers, echoes are given up.
/// </summary>
internal sealed class PathProbe(ProbePath path, TimeProvider time, Action<PathHealth> report)
{
    /// <summary>An unanswered echo is given this start before TCP is tried beside it.</summary>
    private static readonly TimeSpan EchoHeadStart = TimeSpan.FromMilliseconds(100);

    /// <summary>A connection a second would be much for the peer's log.</summary>
    private static readonly TimeSpan IdleConnects = TimeSpan.FromSeconds(2);

    private const double LeastConnectMs = 400;

    private const string NoAnswer = "no answer from the VPS";

    /// <summary>After so many answers by TCP without one by ICMP, ICMP is taken as blocked on this path.</summary>
    private const int ConnectsToGiveUpEcho = 5;

    /// <summary>What a black-holed line's neighbours (ARP, announcements) stay below in the time of a probe.</summary>
    private const ulong TrafficBytes = 4096;

    private readonly ProbeTracker _tracker = new();
    private bool _echoAnswered;
    private int _connectAnswers;
    private Task<TimeSpan>? _connecting;

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
            await EndedAsync(_connecting);
        }
    }

    /// <returns>Null when an answer came; else what went wrong.</returns>
    private async Task<string?> AskAsync(EchoSocket? echo, CancellationToken cancellationToken)
    {
        if (_connecting is null && (!_echoAnswered || _tracker.Struggling))
        {
            _connecting = ConnectAsync(echo is null ? TimeSpan.Zero : EchoHeadStart, cancellationToken);
        }

        using var pause = new CancellationTokenSource(_tracker.Timeout, time);
        using var round = CancellationTokenSource.CreateLinkedTokenSource(pause.Token, cancellationToken);
        Task<TimeSpan>? echoed = null;
        var end = Task.Delay(Timeout.InfiniteTimeSpan, time, round.Token);
        try
        {
            if (echo is not null)
            {
                await echo.SendAsync(round.Token);
                echoed = echo.ReceiveAsync(round.Token).AsTask();
            }

            string problem = NoAnswer;
            while (true)
            {
                // A connection goes on through later rounds: on a slow path it takes longer than one of them.
                var first = await Task.WhenAny(echoed ?? end, _connecting ?? end, end);
                if (first == end)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    return problem;
                }

                var answered = (Task<TimeSpan>)first;
                bool byEcho = answered == echoed;
                if (byEcho)
                {
                    echoed = null;
                }
                else
                {
                    _connecting = null;
                }

                try
                {
                    _tracker.Answered(await answered);
                    _echoAnswered |= byEcho;
                    _connectAnswers += byEcho ? 0 : 1;
                    return null;
                }
                catch (Exception e) when (e is SocketException or OperationCanceledException)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    problem = e is SocketException error ? Reason.Of(error) : problem;
                }
            }
        }
        finally
        {
            await round.CancelAsync();
            await EndedAsync(echoed);
            await EndedAsync(end);
        }
    }

    private async Task<TimeSpan> ConnectAsync(TimeSpan after, CancellationToken cancellationToken)
    {
        // Long enough for one answer, short enough that a SYN lost in an outage is not what the return waits for.
        var longest = after + TimeSpan.FromMilliseconds(Math.Max(2 * _tracker.AnswerTime.TotalMilliseconds, LeastConnectMs));
        using var limit = new CancellationTokenSource(longest, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        await Task.Delay(after, time, both.Token);
        using var socket = new Socket(path.Target.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        WanSocket.Bind(socket, path.Interface, path.Source);
        // Gone without a trace: no TIME_WAIT for a probe.
        socket.LingerState = new LingerOption(enable: true, seconds: 0);
        long departure = time.GetTimestamp();
        try
        {
            await socket.ConnectAsync(path.Target, both.Token);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionRefused)
        {
            // Its host answered.
        }

        return time.GetElapsedTime(departure);
    }

    /// <summary>Waits for a task that was cancelled; how it ended is of no interest, but it must not run on with what others use.</summary>
    private static async Task EndedAsync(Task? task)
    {
        if (task is not null)
        {
            await task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        }
    }
}
