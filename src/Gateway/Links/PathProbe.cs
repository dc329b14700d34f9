using System.Net.Sockets;
using System.Threading.Channels;
using Aggregator.Gateway.Configuration;
using Aggregator.Settings;

namespace Aggregator.Gateway.Links;

/// <summary>
/// Watches one WAN: asks the VPS over it again and again and tells what it learns. ICMP echo; as long as no echo was ever answered, and when
/// echoes are missed, also connections to the VPS's TCP port (a refusal is an answer too). Where only the port answers, echoes are given up.
/// One loop; answers, errors and what the traffic shows come to it through a queue. Probes do not wait for each other's answers.
/// </summary>
internal sealed partial class PathProbe
{
    /// <summary>An unanswered echo is given this start before TCP is tried beside it.</summary>
    private static readonly TimeSpan EchoHeadStart = TimeSpan.FromMilliseconds(100);

    /// <summary>A connection a second would be much for the peer's log.</summary>
    private const double IdleConnectsFactor = 1.5;

    private const string NoAnswer = "no answer from the VPS";

    /// <summary>After so many answers by TCP without one by ICMP, ICMP is taken as blocked on this path.</summary>
    private const int ConnectsToGiveUpEcho = 5;

    /// <summary>On a path of seconds at the quick pace.</summary>
    private const int MostConnects = 8;

    /// <summary>At the quickest pace and the longest timeout fewer are under way; what is beyond has no more to tell.</summary>
    private const int MostOutstanding = 160;

    /// <summary>More happens only when the loop hangs, and then the oldest is of no interest.</summary>
    private const int QueuedHappenings = 64;

    private readonly ProbePath _path;
    private readonly ProbeConfig _config;
    private readonly TimeProvider _time;
    private readonly Action<PathHealth> _report;
    private readonly PathTracker _tracker;
    private readonly Channel<Happening> _happenings = Channel.CreateBounded<Happening>(new BoundedChannelOptions(QueuedHappenings)
    {
        FullMode = BoundedChannelFullMode.DropOldest,
        SingleReader = true,
    });

    private readonly Queue<Round> _rounds = new();
    private readonly HashSet<Task> _connects = [];
    private EchoSocket? _echo;
    private Task _receiving = Task.CompletedTask;
    private Task _asking = Task.CompletedTask;
    private CancellationTokenSource? _receivingEnd;
    private bool _echoAnswered;
    private int _connectAnswers;
    private string _problem = NoAnswer;
    private long _lastProgress;
    private int _number;

    /// <summary>The latest probe that was answered: its connection need not begin any more.</summary>
    private volatile int _answered;
    private long _nextOthers;
    private (string? Target, bool? NextHop) _others;

    internal PathProbe(ProbePath path, ProbeConfig config, TimeProvider time, Action<PathHealth> report)
    {
        (_path, _config, _time, _report) = (path, config, time, report);
        _tracker = new PathTracker(config);
    }

    private bool EchoGivenUp => !_echoAnswered && _connectAnswers >= ConnectsToGiveUpEcho;

    private TimeSpan Interval => EchoGivenUp && _tracker.Interval == _config.Interval ? _config.Interval * IdleConnectsFactor : _tracker.Interval;

    /// <summary>What the carrier's connections show of this WAN. From any thread.</summary>
    internal void Traffic(TrafficSign sign) => _happenings.Writer.TryWrite(new Happening.Traffic(sign));

    internal async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            long last = long.MinValue;
            while (true)
            {
                if (last == long.MinValue || Since(last) >= Interval)
                {
                    last = _time.GetTimestamp();
                    await AskAsync(cancellationToken);
                    _report(Health());
                }

                await NextAsync(Soonest(last), cancellationToken);
                if (TakeAll() | TakeOverdue())
                {
                    _report(Health());
                }

                BeginAskingOthers(cancellationToken);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Ended by its owner.
        }
        finally
        {
            await CloseEchoAsync();
            await EndedAsync(Task.WhenAll(_connects));
            await EndedAsync(_asking);
        }
    }

    private PathHealth Health() => _tracker.IsDown
        ? _tracker.Health with { OtherAnswers = _others.Target, NextHopAnswers = _others.NextHop }
        : _tracker.Health;

    private TimeSpan Since(long timestamp) => _time.GetElapsedTime(timestamp);

    /// <summary>Until the next probe leaves, or the oldest one is overdue.</summary>
    private TimeSpan Soonest(long lastSent)
    {
        TimeSpan next = Interval - Since(lastSent);
        TimeSpan overdue = _rounds.TryPeek(out Round oldest) ? _tracker.AnswerTime - Since(oldest.Departure) : TimeSpan.MaxValue;
        TimeSpan soonest = next < overdue ? next : overdue;
        return soonest > TimeSpan.Zero ? soonest : TimeSpan.Zero;
    }

    private async Task NextAsync(TimeSpan atMost, CancellationToken cancellationToken)
    {
        using var pause = new CancellationTokenSource(atMost, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(pause.Token, cancellationToken);
        try
        {
            await _happenings.Reader.WaitToReadAsync(either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // Time for something.
        }
    }

    /// <summary>Sends one probe in each way that is in use.</summary>
    private async Task AskAsync(CancellationToken cancellationToken)
    {
        var round = new Round(++_number, _time.GetTimestamp());
        bool sent = false;
        try
        {
            if (!EchoGivenUp && _echo is null && EchoSocket.TryOpen(_path.Interface, _path.Source, _path.Target.Address, _time) is { } echo)
            {
                _echo = echo;
                _receivingEnd = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                _receiving = ReceiveAsync(echo, _receivingEnd.Token);
            }

            if (_echo is not null)
            {
                round = round with { Echo = await _echo.SendAsync(cancellationToken) };
                sent = true;
            }
        }
        catch (SocketException e)
        {
            // The device or the address changed under us, or nobody leads there; the next round opens anew.
            _problem = Reason.Of(e);
            await CloseEchoAsync();
        }

        _connects.RemoveWhere(c => c.IsCompleted);
        if ((!_echoAnswered || _tracker.Struggling) && _connects.Count < MostConnects)
        {
            _connects.Add(ConnectAsync(round.Number, _echo is null ? TimeSpan.Zero : EchoHeadStart, cancellationToken));
            sent = true;
        }

        if (sent && _rounds.Count < MostOutstanding)
        {
            _rounds.Enqueue(round);
        }
        else if (!sent)
        {
            Miss(round.Departure);
        }
    }

    /// <returns>Whether anything was learned.</returns>
    private bool TakeAll()
    {
        bool any = false;
        while (_happenings.Reader.TryRead(out Happening? happening))
        {
            any = true;
            switch (happening)
            {
                case Happening.Echoed(var answer):
                    _echoAnswered = true;
                    Answered(r => r.Echo == answer.Sequence, answer.RoundTrip);
                    break;
                case Happening.EchoFailed(var socket, var problem):
                    _problem = problem;
                    if (socket == _echo)
                    {
                        _echo.Dispose();
                        _echo = null;
                    }

                    break;
                case Happening.Connected(var number, var roundTrip):
                    _connectAnswers++;
                    Answered(r => r.Number == number, roundTrip);
                    break;
                case Happening.ConnectFailed(var problem):
                    _problem = problem;
                    break;
                case Happening.Others(var target, var nextHop):
                    _others = (target, nextHop);
                    break;
                case Happening.Traffic(TrafficSign.Silent):
                    _tracker.FellSilent();
                    break;
                case Happening.Traffic(TrafficSign.Loses):
                    _tracker.Loses();
                    break;
                case Happening.Traffic:
                    _lastProgress = _time.GetTimestamp();
                    _tracker.Moves();
                    break;
            }
        }

        return any;
    }

    private void Answered(Predicate<Round> which, TimeSpan roundTrip)
    {
        // Those before it that are not overdue may still be answered; a lost one of them is missed in its time.
        bool wasDown = _tracker.IsDown;
        int count = _rounds.Count;
        for (int i = 0; i < count; i++)
        {
            Round round = _rounds.Dequeue();
            if (which(round))
            {
                _answered = Math.Max(_answered, round.Number);
            }
            else
            {
                _rounds.Enqueue(round);
            }
        }

        // What left before the first answer after an outage was lost in it, and says nothing of the line that is back.
        while (wasDown && _rounds.TryPeek(out Round before) && before.Number < _answered)
        {
            _rounds.Dequeue();
        }

        _problem = NoAnswer;
        _tracker.Answered(roundTrip);
    }

    /// <returns>Whether a probe was missed.</returns>
    private bool TakeOverdue()
    {
        bool any = false;
        while (_rounds.TryPeek(out Round oldest) && Since(oldest.Departure) >= _tracker.AnswerTime)
        {
            bool alarmed = _tracker.IsAlarmed;
            any = true;
            _rounds.Dequeue();
            Miss(oldest.Departure);
            if (alarmed)
            {
                // The traffic is silent, and its silence is as long as the oldest of them waits: the others' time is no more evidence.
                while (_tracker.IsAlarmed && _rounds.TryDequeue(out Round next))
                {
                    Miss(next.Departure);
                }
            }
        }

        return any;
    }

    private void Miss(long departure) => _tracker.Missed(trafficArrives: _lastProgress > departure, _problem);

    /// <summary>Waits for a task that was cancelled; how it ended is of no interest, but it must not run on with what others use.</summary>
    private static async Task EndedAsync(Task task) =>
        await task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);

    /// <summary>One probe in one or two ways; the first answer ends it.</summary>
    private readonly record struct Round(int Number, long Departure, ushort? Echo = null);

    private abstract record Happening
    {
        internal sealed record Echoed(EchoAnswer Answer) : Happening;

        internal sealed record EchoFailed(EchoSocket Socket, string Problem) : Happening;

        internal sealed record Connected(int Number, TimeSpan RoundTrip) : Happening;

        internal sealed record ConnectFailed(string Problem) : Happening;

        internal sealed record Others(string? Target, bool? NextHop) : Happening;

        internal sealed record Traffic(TrafficSign Sign) : Happening;
    }
}
