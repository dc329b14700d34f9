using System.Numerics;

namespace Aggregator.Gateway.Links;

/// <summary>
/// Decides from answers and misses whether a path is up. Knows no clock and no socket: it is told, and says how long to wait.
/// </summary>
internal sealed class ProbeTracker
{
    /// <summary>One lost probe is the line's business; three in a row are an outage.</summary>
    internal const int MissesToDown = 3;

    /// <summary>One answer may be a straggler from before the outage.</summary>
    internal const int AnswersToUp = 2;

    /// <summary>Losing every tenth probe is beyond what a working line does.</summary>
    private const double DegradedLoss = 0.1;

    /// <summary>Less says nothing: one loss of five is not 20 %.</summary>
    private const int ProbesForLoss = 20;

    private static readonly TimeSpan Idle = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Hurry = TimeSpan.FromMilliseconds(250);

    /// <summary>Between the answers that bring a path up: enough that both are not one burst.</summary>
    private static readonly TimeSpan Confirm = TimeSpan.FromMilliseconds(50);

    private static readonly TimeSpan FirstTimeout = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LeastTimeout = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan MostTimeout = TimeSpan.FromSeconds(2);

    /// <summary>The reason while nothing is decided.</summary>
    internal const string Waiting = "waiting for an answer from the VPS";

    private double? _smoothedMs;
    private double _variationMs;
    private int _answers;
    private int _misses;
    private ulong _history;
    private int _known;
    private LinkState _state = LinkState.Down;
    private bool _decided;
    private string? _reason;

    /// <summary>How long the next probe's answer is waited for. A path that is down is asked again sooner: any late answer still counts.</summary>
    internal TimeSpan Timeout => _state == LinkState.Down && _decided ? Hurry : AnswerTime;

    /// <summary>From one probe's departure to the next.</summary>
    internal TimeSpan Interval =>
        _state == LinkState.Down && _answers > 0 ? Confirm
        : _state != LinkState.Up || _misses > 0 ? Hurry
        : Idle;

    internal PathHealth Health
    {
        get
        {
            double? loss = _known == 0 ? null : (double)BitOperations.PopCount(_history) / _known;
            // What carries is not taken out of use before it is shown not to answer: a start would interrupt everything.
            return new PathHealth(_decided ? _state : LinkState.Up, _decided ? _reason : Waiting, _smoothedMs is { } ms ? Math.Round(ms, 2) : null, loss, !_decided);
        }
    }

    /// <summary>Probes are being missed, or were never answered.</summary>
    internal bool Struggling => _state == LinkState.Down || _misses >= MissesToDown - 1;

    /// <summary>Within which an answer is to be expected. RFC 6298's estimator; the floor because a home line's queue fills faster than the variation grows.</summary>
    internal TimeSpan AnswerTime => _smoothedMs is { } ms
        ? TimeSpan.FromMilliseconds(Math.Clamp(ms + (4 * _variationMs) + 50, LeastTimeout.TotalMilliseconds, MostTimeout.TotalMilliseconds))
        : FirstTimeout;

    internal void Answered(TimeSpan roundTrip)
    {
        double ms = roundTrip.TotalMilliseconds;
        if (_smoothedMs is { } smoothed)
        {
            _variationMs += (Math.Abs(smoothed - ms) - _variationMs) / 4;
            _smoothedMs = smoothed + ((ms - smoothed) / 8);
        }
        else
        {
            _smoothedMs = ms;
            _variationMs = ms / 2;
        }

        Remember(lost: false);
        _misses = 0;
        _answers++;
        if (_state != LinkState.Down || _answers >= AnswersToUp)
        {
            _decided = true;
            Alive();
        }
    }

    /// <param name="trafficArrives">The WAN received payload since the probe left: the path lives, whatever became of the probe.</param>
    /// <param name="reason">What went wrong, for people.</param>
    internal void Missed(bool trafficArrives, string reason)
    {
        Remember(lost: true);
        _answers = 0;
        _misses++;
        if (_state == LinkState.Down)
        {
            _decided |= _misses >= MissesToDown;
            _reason = reason;
        }
        else if (_misses >= MissesToDown)
        {
            _state = trafficArrives ? LinkState.Degraded : LinkState.Down;
            _reason = trafficArrives ? "probes are lost, traffic arrives" : reason;
        }
    }

    private void Alive()
    {
        double loss = _known < ProbesForLoss ? 0 : (double)BitOperations.PopCount(_history) / _known;
        _state = loss >= DegradedLoss ? LinkState.Degraded : LinkState.Up;
        _reason = _state == LinkState.Up ? null : "loses probes";
    }

    // The latest 64 probes, a bit each. An outage's misses are no loss ratio of the line that came back.
    private void Remember(bool lost)
    {
        if (!lost && _state == LinkState.Down)
        {
            _history = 0;
            _known = 0;
        }

        _history = (_history << 1) | (lost ? 1UL : 0);
        _known = Math.Min(_known + 1, 64);
    }
}
