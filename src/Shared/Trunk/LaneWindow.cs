namespace Aggregator.Trunk;

/// <summary>
/// How much may be on a lane's way at once. The kernel's congestion control decides what a path gives; but BBR lets up to two round trips' worth stand
/// in the queues on the way (its rate is the highest of ten round trips, always a little too high, so nothing drains them): 50 ms instead of 20 were
/// seen, which every small request then waits. So while round trips are longer than the shortest by more than they vary, less is handed
/// over, by a part each round trip and never below what the path holds without a queue; while they are not, there is no limit. A queue that does not
/// go away by that is somebody else's, and is left to BBR.
/// A start-up doubles each round trip, and would put as much as a path holds into its queue before anybody can know: what is lost then holds up
/// a satellite's lane for seconds. A lane that was full before therefore begins at the rate that it had, and one whose queue begins to grow goes on by a quarter.
/// Times in microseconds. Not safe for several threads.
/// </summary>
internal sealed class LaneWindow
{
    /// <summary>A queue as long as this is none: the sender's and receiver's own pauses.</summary>
    private const double MinTargetUs = 6_000;

    /// <summary>Of long round trips a part, which nobody feels, and which BBR's probing needs; the queues of slow lines hold little more than this.</summary>
    private const double TargetPart = 0.125;
    private const double MaxPartUs = 16_000;

    /// <summary>And what they vary by without any queue (radio).</summary>
    private const double TargetVariations = 2;

    /// <summary>At most this part less for each round trip.</summary>
    private const double MostLess = 0.25;

    /// <summary>Growth for each round trip while there is no queue, and while a start-up looks for the end.</summary>
    private const double Growth = 1.08;
    private const double StartGrowth = 1.25;

    /// <summary>A start-up that is not over brings so much more in a round trip (BBR asks for 1.25 in three).</summary>
    private const double StartRate = 1.1;

    /// <summary>
    /// Meanwhile only a queue that cannot be mistaken counts, and in the first round trips none: acknowledgements of the little that was there before came
    /// late. BBR that is held back in its start-up takes that for the end, and climbs for seconds.
    /// </summary>
    private const double StartPart = 0.25;
    private const double MaxStartUs = 40_000;
    private const double StartRtts = 3;

    /// <summary>Rate × shortest round trip, and what is in the air for pauses of our own.</summary>
    private const double FloorPart = 1.1;
    private const double FloorSpareUs = 4_000;

    /// <summary>
    /// What stands in a queue is more than this, or it is none: a lane of little traffic has its acknowledgements delayed, and to hold it to
    /// what it moves would keep it there for good.
    /// </summary>
    private const double FloorSpareBytes = 64 * 1024;

    /// <summary>Nor below this part of the congestion window: BBR's is two round trips' worth.</summary>
    private const double FloorWindowPart = 0.4;

    /// <summary>At the floor for so long with far more queue than it can have made: it is not ours. Then no limit for a while.</summary>
    private const long NotOursUs = 2_000_000;
    private const double NotOursRtts = 12;
    private const double NotOursFactor = 1.3;
    private const long LeaveUs = 10_000_000;

    /// <summary>A lane that was not full for so long begins anew.</summary>
    private const double RestRtts = 4;
    private const double MinRestUs = 60_000;

    /// <summary>So long without a pause, and the rate is the path's.</summary>
    private const double KnownRtts = 10;

    /// <summary>How a known path is filled: this much more than its rate, which its queue takes for a round trip.</summary>
    private const double FillGain = 1.25;
    private const double FillStartBytes = 32 * 1024;

    /// <summary>Below that cubic runs with a small send buffer (CongestionChoice).</summary>
    private const double ShortPathUs = 1_000;

    private double _bytes = double.PositiveInfinity;
    private double _leastUs = double.PositiveInfinity;
    private double _knownRate;
    private long _changedAtUs;
    private long _atFloorSinceUs;
    private long _leaveUntilUs;
    private long _fullAtUs;
    private long _fullSinceUs;
    private long _filledFromUs;
    private double _fillTo;
    private double _lastRate;
    private bool _starts = true;

    /// <summary>On the way and unsent together; infinite: no limit.</summary>
    internal double Bytes(long nowUs)
    {
        if (_filledFromUs == 0)
        {
            return _bytes;
        }

        double filled = FillStartBytes + (FillGain * _knownRate * (nowUs - _filledFromUs) / 1e6);
        if (filled < _fillTo)
        {
            return filled;
        }

        _filledFromUs = 0;
        return _bytes;
    }

    /// <param name="isFull">It had all that it could take at the last look.</param>
    internal void Read(in LaneReading reading, double rateBytesPerSecond, bool isFull, long nowUs)
    {
        double rtt = reading.Rtt.TotalMicroseconds;
        if (reading.MinRtt is not { } least || rtt <= 0)
        {
            return;
        }

        // The smoothed one's lowest: where single round trips vary, the shortest of all says little.
        _leastUs = Math.Min(_leastUs, rtt);
        if (_leastUs < ShortPathUs)
        {
            _bytes = double.PositiveInfinity;
            return;
        }

        if (isFull)
        {
            if (nowUs - _fullAtUs > Math.Max(RestRtts * rtt, MinRestUs))
            {
                Fill(nowUs);
                _fullSinceUs = nowUs;
            }

            _fullAtUs = nowUs;
            if (nowUs - _fullSinceUs > KnownRtts * rtt)
            {
                _knownRate = rateBytesPerSecond;
            }
        }

        double target = Math.Max(MinTargetUs, Math.Min(TargetPart * _leastUs, MaxPartUs)) + (TargetVariations * reading.RttVariation.TotalMicroseconds);
        double excess = rtt - _leastUs - target;
        if (nowUs < _leaveUntilUs || nowUs - _changedAtUs < rtt || _filledFromUs != 0)
        {
            return;
        }

        double there = reading.PipeBytes + reading.UnsentBytes;
        _changedAtUs = nowUs;
        bool rises = rateBytesPerSecond > StartRate * _lastRate;
        _lastRate = rateBytesPerSecond;
        if (_starts && (rises || nowUs - _fullSinceUs < StartRtts * rtt))
        {
            if (rises && excess > Math.Min(StartPart * _leastUs, MaxStartUs))
            {
                // A lane may have nothing on its way at this moment, and must not be left without a window for that.
                _bytes = Math.Max(Floor(rateBytesPerSecond), Math.Min(_bytes, there) * StartGrowth);
            }

            return;
        }

        _starts = false;
        if (excess > 0)
        {
            double floor = Math.Max(Floor(rateBytesPerSecond), FloorWindowPart * reading.CongestionWindowBytes);
            _bytes = Math.Max(floor, Math.Min(_bytes, there) * (1 - Math.Min(MostLess, excess / rtt)));
            NoteFloor(_bytes <= floor && rtt > (NotOursFactor * Math.Max(_leastUs, floor * 1e6 / rateBytesPerSecond)) + target, rtt, nowUs);
        }
        else if (!double.IsPositiveInfinity(_bytes))
        {
            _atFloorSinceUs = 0;
            _bytes *= rises ? StartGrowth : Growth;
            if (_bytes > 2.0 * reading.CongestionWindowBytes)
            {
                _bytes = double.PositiveInfinity;
            }
        }
    }

    private void Fill(long nowUs)
    {
        if (_knownRate > 0)
        {
            _filledFromUs = nowUs;
            _fillTo = Floor(_knownRate);
            _bytes = _fillTo;
        }
        else
        {
            _bytes = double.PositiveInfinity;
            _starts = true;
        }
    }

    private double Floor(double rate) =>
        Math.Max(((FloorPart * _leastUs) + FloorSpareUs) * rate / 1e6, (_leastUs * rate / 1e6) + FloorSpareBytes);

    private void NoteFloor(bool isNotOurs, double rtt, long nowUs)
    {
        if (!isNotOurs)
        {
            _atFloorSinceUs = 0;
        }
        else if (_atFloorSinceUs == 0)
        {
            _atFloorSinceUs = nowUs;
        }
        else if (nowUs - _atFloorSinceUs > Math.Max(NotOursUs, NotOursRtts * rtt))
        {
            _bytes = double.PositiveInfinity;
            _atFloorSinceUs = 0;
            _leaveUntilUs = nowUs + LeaveUs;

            // Or the path has become longer.
            _leastUs = rtt;
        }
    }
}
