namespace Aggregator.Datagrams;

/// <summary>
/// How much a lane may have under way of what is not real-time: as much as its line takes with a short queue. Grows while there is next to none, shrinks when it
/// becomes longer than wanted or when losses rise (the idea of LEDBAT, RFC 6817, by round trips in place of one-way delays). Times in microseconds. Not safe for several threads.
/// </summary>
internal sealed class UdpWindow
{
    /// <summary>RFC 6928, and what a report of the other end may be late by.</summary>
    private const double FirstBytes = 32 * 1400;
    private const double LeastBytes = 8 * 1400;

    /// <summary>1 Gbit/s over 250 ms.</summary>
    private const double MostBytes = 32 << 20;

    /// <summary>The queue that is wanted: it bridges the pauses of a busy machine, and nobody feels it.</summary>
    internal const double TargetUs = 15_000;

    /// <summary>A start-up doubles each round trip, and over long ones less: what is too much is seen a round trip later.</summary>
    private const double LongUs = 150_000;
    private const double LongGrowth = 0.4;

    /// <summary>Afterwards so much more in a round trip without any queue, so much less with a far too long one.</summary>
    private const double Growth = 0.12;
    private const double MostLess = 0.3;

    /// <summary>
    /// More lost than that while packets queue means a queue that is too short for <see cref="TargetUs"/>; without any queue it is the line's own loss, unless it is
    /// so much that somebody drops what is above a rate.
    /// </summary>
    private const double LossPart = 0.02;
    private const double SomeQueueUs = 2_000;
    private const double PolicedLossPart = 0.1;
    private const double LossLess = 0.15;

    /// <summary>What round trips vary by without our doing (radio); a start-up does not take that for a queue.</summary>
    private const double RestGain = 1.0 / 16;
    private const double MostRestUs = 30_000;

    /// <summary>A round is a round trip, and so much at least.</summary>
    private const double MinRoundUs = 10_000;

    /// <summary>
    /// What arrived in a time is what the line gives, or less; more than that and a little for growth over a round trip would only be a queue, and on a lane that takes what
    /// another has no room for it comes in bursts, between which there is none to be seen. The best of some seconds counts.
    /// </summary>
    private const long RateWindowUs = 100_000;

    /// <summary>In a start-up the rate doubles each round trip: an average over long would be half of it, and the window that follows from it too.</summary>
    private const long StartRateWindowUs = 20_000;
    private const double RateMemory = 0.99;
    private const double OverRate = 1.2;

    /// <summary>The shortest round trip of so long ago still counts.</summary>
    private const long BaseWindowUs = 15_000_000;

    private double _baseNowUs = double.MaxValue;
    private double _baseBeforeUs = double.MaxValue;
    private long _baseFromUs;
    private long _roundFromUs;
    private double _roundLeastUs = double.MaxValue;
    private double _roundSumUs;
    private int _roundCount;
    private double _rateBytes;
    private long _rateFromUs;
    private double _bytesPerUs;
    private double _roundExpected;
    private double _roundLost;
    private double _restUs;
    private bool _wasFull;
    private bool _starts = true;
    private bool _wasCut;

    /// <summary>Nobody knows yet what the line takes, and something waits for that.</summary>
    internal bool IsLearning => _starts && _wasFull;

    internal double Bytes { get; private set; } = FirstBytes;

    /// <summary>The shortest round trip; 0: not known.</summary>
    internal double BaseUs => Math.Min(_baseNowUs, _baseBeforeUs) is var least && least == double.MaxValue ? 0 : least;

    /// <summary>What the line gives, as far as it has been seen.</summary>
    internal double BytesPerSecond => Bytes * 1e6 / Math.Max(1_000, BaseUs + TargetUs);

    /// <summary>Something had to wait for it.</summary>
    internal void NoteFull() => _wasFull = true;

    /// <param name="ackedBytes">That were under way and are not any more.</param>
    /// <param name="expected">Datagrams among them.</param>
    /// <param name="lost">Of these.</param>
    internal void Acknowledged(double ackedBytes, double expected, double lost, double rttUs, long nowUs)
    {
        NoteBase(rttUs, nowUs);
        _restUs += _wasFull ? 0 : RestGain * (Math.Min(MostRestUs, rttUs - BaseUs) - _restUs);
        NoteRate(ackedBytes, nowUs);
        _roundLeastUs = Math.Min(_roundLeastUs, rttUs);
        _roundSumUs += rttUs;
        _roundCount++;
        _roundExpected += expected;
        _roundLost += lost;
        if (_starts && _wasFull)
        {
            if (rttUs - BaseUs > TargetUs + (2 * _restUs))
            {
                // The line is full, and what it gave lately is its rate; all that is above that stands in its queue.
                _starts = false;
                _wasCut = true;
                Bytes = Math.Min(Bytes, Math.Max(FirstBytes, _bytesPerUs * (BaseUs + TargetUs)));
            }
            else
            {
                Bytes = Math.Min(MostBytes, Bytes + (ackedBytes * (BaseUs > LongUs ? LongGrowth : 1)));
            }
        }

        if (nowUs - _roundFromUs < Math.Max(MinRoundUs, rttUs))
        {
            return;
        }

        EndRound();
        _roundFromUs = nowUs;
        (_roundLeastUs, _roundSumUs, _roundCount, _roundExpected, _roundLost, _wasFull) = (double.MaxValue, 0, 0, 0, 0, false);
    }

    private void EndRound()
    {
        if (_wasCut)
        {
            // What came back in this round left before the window was cut, and must not cut it again.
            _wasCut = false;
            return;
        }

        // Neither a moment without a queue nor one of a busy machine says it all.
        double queueUs = ((_roundLeastUs + (_roundSumUs / _roundCount)) / 2) - BaseUs;
        double loss = _roundLost / Math.Max(1, _roundExpected);
        if (_roundLost >= 2 && loss > (queueUs > SomeQueueUs ? LossPart : PolicedLossPart))
        {
            _starts = false;
            _wasCut = true;
            Bytes = Math.Max(LeastBytes, Bytes * (1 - LossLess));
        }
        else if (queueUs > TargetUs && _wasFull)
        {
            _starts = false;
            double wanted = (BaseUs + TargetUs) / (BaseUs + queueUs);
            _wasCut = true;
            Bytes = Math.Max(LeastBytes, Bytes * Math.Max(1 - MostLess, wanted));
        }
        else if (_wasFull && !_starts)
        {
            Bytes = Math.Min(MostBytes, Bytes * (1 + (Growth * (1 - (queueUs / TargetUs)))));
        }

        if (!_starts)
        {
            Bytes = Math.Min(Bytes, Math.Max(FirstBytes, OverRate * _bytesPerUs * (BaseUs + TargetUs)));
        }
    }

    private void NoteRate(double ackedBytes, long nowUs)
    {
        _rateBytes += ackedBytes;
        long elapsed = nowUs - _rateFromUs;
        long window = _starts ? StartRateWindowUs : RateWindowUs;
        if (elapsed >= window)
        {
            // After a silence there is nothing to learn.
            _bytesPerUs = elapsed < 2 * RateWindowUs ? Math.Max(_bytesPerUs * RateMemory, _rateBytes / elapsed) : _bytesPerUs;
            (_rateBytes, _rateFromUs) = (0, nowUs);
        }
    }

    private void NoteBase(double rttUs, long nowUs)
    {
        if (nowUs - _baseFromUs > BaseWindowUs)
        {
            _baseBeforeUs = nowUs - _baseFromUs > 2 * BaseWindowUs ? double.MaxValue : _baseNowUs;
            (_baseFromUs, _baseNowUs) = (nowUs, rttUs);
        }

        _baseNowUs = Math.Min(_baseNowUs, rttUs);
    }
}
