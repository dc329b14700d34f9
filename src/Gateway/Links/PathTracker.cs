using System.Globalization;
using System.Numerics;
using Aggregator.Gateway.Configuration;

namespace Aggregator.Gateway.Links;

/// <summary>
/// Decides from answers, misses and the traffic's own silence how a path is. Knows no clock and no socket: it is told, and says how long to wait.
/// </summary>
internal sealed class PathTracker(ProbeConfig config)
{
    /// <summary>The reason while nothing is decided.</summary>
    internal const string Waiting = "waiting for an answer from the VPS";

    private const int History = 64;

    /// <summary>Probes that are the line's latest habit.</summary>
    private const int Recent = 12;

    /// <summary>Less says nothing: one loss of five is not 20 %.</summary>
    private const int ProbesForLoss = 20;

    /// <summary>So many losses say something before that.</summary>
    private const int LossesThatTell = 4;

    /// <summary>A degraded link is well again below this part of the mark, or it would go to and fro.</summary>
    private const double ClearPart = 0.5;

    /// <summary>A round trip does not fall by half when the load is gone: a satellite's 600 ms would be called bad for ever after one second above the mark.</summary>
    private const double ClearLatencyPart = 0.8;

    /// <summary>A line that loses half of everything misses three in a row all the time: an outage is what that line's own losses make unlikely to this degree.</summary>
    private const double ByChance = 0.0001;

    /// <summary>With this many at the quick pace an outage is still known within three seconds.</summary>
    private const int MostFails = 14;

    /// <summary>
    /// Where no traffic says anything, three quick probes stand for one: a line that begins to lose half of everything misses three in a row within seconds,
    /// and nine hardly ever.
    /// </summary>
    private const int Doubts = 3;

    /// <summary>A line that never lost a probe is taken to lose fewer than one of these.</summary>
    private const double LeastLoss = 1.0 / History;

    /// <summary>In a row, of a line that lost too much: one that still loses a tenth shows it in so many, all but once in thirty times.</summary>
    private const int AnswersThatClear = 32;

    /// <summary>The pace while something is amiss, as part of the configured interval.</summary>
    private const int HurryPart = 4;

    /// <summary>While losses are to be counted, as part of the hurried pace: a dozen probes in a second and a half.</summary>
    private const int CountingPart = 2;

    /// <summary>The same beside traffic that is lost: it costs nothing there.</summary>
    private const int BusyCountingPart = 4;

    /// <summary>After the latest sign of it: as many as are judged, and those that are still on their way.</summary>
    private const int CountedAfterSign = 2 * Recent;

    private static readonly TimeSpan MostHurry = TimeSpan.FromMilliseconds(250);

    /// <summary>Between the answers that bring a path up: enough that both are not one burst.</summary>
    private static readonly TimeSpan Confirm = TimeSpan.FromMilliseconds(50);

    /// <summary>While traffic has fallen silent.</summary>
    private static readonly TimeSpan Alarm = TimeSpan.FromMilliseconds(40);

    private static readonly TimeSpan FirstTimeout = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LeastTimeout = TimeSpan.FromMilliseconds(200);

    /// <summary>With the silence before it a third of a second in which nothing at all comes: radio lines pause for less, as a rule.</summary>
    private static readonly TimeSpan LeastAlarmTimeout = TimeSpan.FromMilliseconds(180);

    /// <summary>So many samples are two generations of the least round trip.</summary>
    private const int LeastOf = 32;

    /// <summary>So many answers in a row that take less than half of what is usual: the line is another one now. One or two may be luck.</summary>
    private const int QuickAnswersThatTell = 3;

    /// <summary>A line with two seconds each way is bad, not dead.</summary>
    private static readonly TimeSpan MostTimeout = TimeSpan.FromSeconds(6);

    private double? _smoothedMs;
    private double _variationMs;
    private double _leastMs = double.MaxValue;
    private double _leastBeforeMs = double.MaxValue;
    private int _samples;
    private int _quickAnswers;
    private int _answers;
    private int _misses;
    private ulong _history;
    private int _known;
    private LinkState _state = LinkState.Down;
    private bool _decided;
    private bool _impaired;
    private bool _losing;
    private bool _told;
    private int _countedSinceTold;
    private bool _alarm;
    private string? _reason;

    /// <summary>From one probe's departure to the next.</summary>
    internal TimeSpan Interval =>
        _alarm ? Alarm
        : _state == LinkState.Down && _answers > 0 ? Confirm
        : _state != LinkState.Down && _misses > 0 ? Hurry / Doubts
        : _state == LinkState.Down ? Hurry
        : _told ? Hurry / BusyCountingPart
        : _losing || RecentLosses > 0 ? Hurry / CountingPart
        : _state == LinkState.Degraded ? Hurry
        : config.Interval;

    private TimeSpan Hurry => config.Interval / HurryPart < MostHurry ? config.Interval / HurryPart : MostHurry;

    /// <summary>
    /// Within which an answer is to be expected. RFC 6298's estimator; the floor because a home line's queue fills faster than the variation grows.
    /// Where traffic has fallen silent there is no queue that an answer could wait in, so little more than the line's own round trip is given.
    /// </summary>
    internal TimeSpan AnswerTime => _smoothedMs is not { } ms ? FirstTimeout
        : _alarm ? Within((1.5 * Math.Min(_leastMs, _leastBeforeMs)) + 30, LeastAlarmTimeout)
        : Within(ms + (4 * _variationMs) + 50, LeastTimeout);

    /// <summary>Misses in a row that are an outage.</summary>
    internal int FailsToDown
    {
        get
        {
            // The run of misses that is to be judged does not count as the line's habit.
            double loss = Math.Max(LossBefore(_misses), RecentLossBefore(_misses));
            int unlikely = loss is <= 0 or >= 1 ? 0 : (int)Math.Ceiling(Math.Log(ByChance) / Math.Log(loss));
            int least = _alarm ? config.Fails : 1 + ((config.Fails - 1) * Doubts);
            return Math.Max(least, Math.Min(unlikely, MostFails));
        }
    }

    /// <summary>Probes are being missed, or were never answered: another way of asking is worth trying.</summary>
    internal bool Struggling => _state == LinkState.Down || _misses >= Math.Max(1, config.Fails - 1) || _alarm;

    /// <summary>The VPS is known not to answer.</summary>
    internal bool IsDown => _decided && _state == LinkState.Down;

    internal bool IsUp => _decided && _state != LinkState.Down;

    internal bool IsAlarmed => _alarm;

    // What carries is not taken out of use before it is shown not to answer: a start would interrupt everything.
    internal PathHealth Health => new(
        _decided ? _state : LinkState.Up,
        _decided ? _reason : Waiting,
        _smoothedMs is { } ms ? Math.Round(ms, 2) : null,
        _known == 0 ? null : (double)BitOperations.PopCount(_history) / _known,
        !_decided)
    {
        JitterMs = _samples > 1 ? Math.Round(_variationMs, 2) : null,
        Impaired = _impaired && _state == LinkState.Degraded,
    };

    /// <summary>An answer, however late.</summary>
    internal void Answered(TimeSpan roundTrip)
    {
        double ms = roundTrip.TotalMilliseconds;
        bool expected = roundTrip <= AnswerTime;
        _quickAnswers = ms < _smoothedMs / 2 ? _quickAnswers + 1 : 0;
        if (_smoothedMs is { } smoothed && expected && _quickAnswers < QuickAnswersThatTell)
        {
            _variationMs += (Math.Abs(smoothed - ms) - _variationMs) / 4;
            _smoothedMs = smoothed + ((ms - smoothed) / 8);
        }
        else
        {
            // The first, one that nobody expected any more, or the third that is much quicker: the line is another one now.
            _variationMs = _smoothedMs is null ? ms / 2 : ms / 4;
            _smoothedMs = ms;
        }

        if (!expected && (_alarm || _state == LinkState.Down))
        {
            // Late although no traffic was in its way: the way itself takes so long, and the next silence is judged by that.
            (_leastMs, _leastBeforeMs) = (ms, ms);
        }

        if (_samples++ % LeastOf == 0)
        {
            (_leastBeforeMs, _leastMs) = (_leastMs, double.MaxValue);
        }

        _leastMs = Math.Min(_leastMs, ms);
        _alarm = false;
        Remember(lost: false);
        _misses = 0;
        _answers++;
        if (_state != LinkState.Down || _answers >= config.Successes)
        {
            _decided = true;
            Judge();
        }
    }

    /// <param name="trafficArrives">The peer acknowledged or sent new payload over this WAN since the probe left: the path lives, whatever became of the probe.</param>
    /// <param name="reason">What went wrong, for people.</param>
    internal void Missed(bool trafficArrives, string reason)
    {
        Remember(lost: true);
        _answers = 0;
        _misses++;
        if (_state == LinkState.Down)
        {
            _decided |= _misses >= config.Fails;
            _reason = reason;
        }
        else if (_misses >= FailsToDown)
        {
            if (trafficArrives)
            {
                _state = LinkState.Degraded;
                _reason = "probes are lost, traffic arrives";
            }
            else
            {
                (_state, _reason, _alarm, _impaired) = (LinkState.Down, reason, false, false);
            }
        }
    }

    /// <summary>Traffic that went on has stopped, or what was sent is not acknowledged. A sign, not a proof: answers decide.</summary>
    internal void FellSilent() => _alarm |= IsUp;

    /// <summary>Payload moves again.</summary>
    internal void Moves() => _alarm = false;

    /// <summary>Traffic is lost on the way. A sign, not a proof: probes count how much.</summary>
    internal void Loses() => (_told, _countedSinceTold) = (IsUp, 0);

    private void Judge()
    {
        var marks = config.Marks;
        double part = _impaired ? ClearPart : 1;
        double latencyPart = _impaired ? ClearLatencyPart : 1;
        // A dozen of which a third was lost need not wait for what the line did a minute ago, nor thirty in a row.
        _losing = marks.LossRatio is { } l && !IsCleared && Math.Max(LossBefore(0), RecentLossBefore(0)) >= l * part;
        string? over =
            _losing ? string.Create(CultureInfo.InvariantCulture, $"loses more than {marks.LossRatio * 100:0.#} % of the probes")
            : marks.Latency is { } t && _smoothedMs >= t.TotalMilliseconds * latencyPart ? string.Create(CultureInfo.InvariantCulture, $"answers take longer than {t.TotalMilliseconds:0} ms")
            : marks.Jitter is { } j && _samples > 1 && _variationMs >= j.TotalMilliseconds * part ? string.Create(CultureInfo.InvariantCulture, $"answers vary by more than {j.TotalMilliseconds:0} ms")
            : null;
        _impaired = over is not null;
        _state = _impaired ? LinkState.Degraded : LinkState.Up;
        _reason = over;
    }

    /// <summary>The loss ratio without the latest <paramref name="skipped"/> probes; 0 while it says nothing.</summary>
    private double LossBefore(int skipped)
    {
        if (skipped >= _known)
        {
            return 0;
        }

        int lost = BitOperations.PopCount(_history >> skipped);
        int known = _known - skipped;
        return known < ProbesForLoss && lost < LossesThatTell ? 0 : (double)lost / known;
    }

    /// <summary>Of a line that has begun to lose, the good time before says nothing any more.</summary>
    private double RecentLossBefore(int skipped)
    {
        int known = Math.Min(_known - skipped, Recent);
        int lost = known <= 0 ? 0 : BitOperations.PopCount((_history >> skipped) & ((1UL << Recent) - 1));
        return lost < LossesThatTell ? 0 : (double)lost / known;
    }

    private static TimeSpan Within(double ms, TimeSpan least) =>
        TimeSpan.FromMilliseconds(Math.Clamp(ms, least.TotalMilliseconds, MostTimeout.TotalMilliseconds));

    private int RecentLosses => BitOperations.PopCount(_history & ((1UL << Recent) - 1));

    private bool IsCleared => _known >= AnswersThatClear && (_history & ((1UL << AnswersThatClear) - 1)) == 0;

    /// <summary>So many in a row are not what the line loses now and then: it was away for a moment.</summary>
    private bool IsRunOutage =>
        _misses >= config.Fails
        && Math.Pow(Math.Max(LeastLoss, Math.Max(LossBefore(_misses), RecentLossBefore(_misses))), _misses) <= ByChance;

    // The latest 64 probes, a bit each. An outage's misses are no loss ratio of the line that came back.
    private void Remember(bool lost)
    {
        _told &= ++_countedSinceTold <= CountedAfterSign;
        if (!lost && (_state == LinkState.Down || IsRunOutage))
        {
            int run = Math.Min(_misses, _known);
            _history = run >= History ? 0 : _history >> run;
            _known -= run;
        }

        _history = (_history << 1) | (lost ? 1UL : 0);
        _known = Math.Min(_known + 1, History);
    }
}
