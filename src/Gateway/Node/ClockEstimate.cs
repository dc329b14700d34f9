using Aggregator.Protocol.V1;

namespace Aggregator.Gateway.Node;

/// <summary>
/// How far the VPS's clock is ahead of ours, from questions and answers whose way takes time (RFC 5905 section 8): the quickest of the last
/// <see cref="Window"/> counts, for its error is at most half of its round trip. A clock that is set meanwhile begins anew.
/// </summary>
internal sealed class ClockEstimate(TimeProvider time)
{
    private const int Window = 8;

    /// <summary>What two looks at one clock differ by on a busy host; a clock that is set jumps further.</summary>
    private static readonly TimeSpan Jitter = TimeSpan.FromMilliseconds(20);

    private readonly Queue<Sample> _samples = new();
    private ulong _sequence;
    private DateTimeOffset _sentAt;
    private long _sentTimestamp;

    /// <summary>Null until an answer came.</summary>
    internal (TimeSpan VpsAhead, TimeSpan Uncertainty)? Best => _samples.Count == 0
        ? null
        : _samples.MinBy(s => s.Uncertainty) is var best ? (best.Ahead, best.Uncertainty) : null;

    /// <summary>The next question, with what is known so far. Of an older one that is still on its way the answer is passed over.</summary>
    internal ClockProbe Ask()
    {
        _sentTimestamp = time.GetTimestamp();
        _sentAt = time.GetUtcNow();
        var probe = new ClockProbe { Sequence = ++_sequence, SentUs = Microseconds(_sentAt) };
        if (Best is var (ahead, uncertainty))
        {
            probe.VpsAheadMs = ahead.TotalMilliseconds;
            probe.UncertaintyMs = uncertainty.TotalMilliseconds;
        }

        return probe;
    }

    internal void Answered(ClockEcho echo)
    {
        var now = time.GetUtcNow();
        var roundTrip = time.GetElapsedTime(_sentTimestamp);
        if (echo.Sequence != _sequence || echo.SentUs < echo.ReceivedUs)
        {
            return;
        }

        if ((now - _sentAt - roundTrip).Duration() > Jitter)
        {
            // Our own clock was set while the question was on its way.
            _samples.Clear();
            return;
        }

        // In doubles: a hostile answer must not overflow.
        double theirs = (echo.ReceivedUs / 2.0) + (echo.SentUs / 2.0);
        double ours = (Microseconds(_sentAt) / 2.0) + (Microseconds(now) / 2.0);
        double onTheWay = (roundTrip.TotalMicroseconds - ((double)echo.SentUs - echo.ReceivedUs)) / 2;
        if (onTheWay < 0 || Math.Abs(theirs - ours) > TimeSpan.FromDays(36_500).TotalMicroseconds)
        {
            return;
        }

        var sample = new Sample(TimeSpan.FromMicroseconds(theirs - ours), TimeSpan.FromMicroseconds(onTheWay));
        if (Best is var (ahead, uncertainty) && (sample.Ahead - ahead).Duration() > sample.Uncertainty + uncertainty + Jitter)
        {
            // One of the clocks was set.
            _samples.Clear();
        }

        _samples.Enqueue(sample);
        if (_samples.Count > Window)
        {
            _samples.Dequeue();
        }
    }

    private static long Microseconds(DateTimeOffset at) => (at - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;

    private readonly record struct Sample(TimeSpan Ahead, TimeSpan Uncertainty);
}
