using Aggregator.Trunk;

namespace Aggregator.Shared.Tests.Trunk.Simulation;

/// <summary>
/// One direction of a TCP connection as a lane meets it: a queue of unsent bytes, BBR as in RFC draft-cardwell-iccrg-bbr version 1
/// (start-up, drain, probing in eight phases, two bandwidth-delay products in flight, paced), selective acknowledgements, retransmission
/// at once when three later segments arrived, time-outs with back-off otherwise, and delivery to the reader in order only: a loss holds
/// up everything behind it for a round trip.
/// </summary>
internal sealed partial class SimulatedTcp(Simulator simulator, SimulatedLink forward, SimulatedLink back, Action<byte[], int> deliver) : ILaneMeter
{
    private const int SegmentBytes = 1400;
    private const int HeaderBytes = 60;
    private const double StartupGain = 2.89;
    private const int MinWindow = 4 * SegmentBytes;
    private const double MinRttWindowUs = 10_000_000;
    private const double RestRtts = 4;
    private const double MinRestUs = 60_000;
    private const double RenewalUs = 8_000_000;

    private static readonly double[] Gains = [1.25, 0.75, 1, 1, 1, 1, 1, 1];

    private readonly Queue<(byte[] Bytes, int Start, int Length)> _unsent = new();
    private readonly SortedDictionary<long, Segment> _inFlight = [];
    private readonly SortedDictionary<long, Segment> _outOfOrder = [];
    private readonly SortedDictionary<long, Segment> _lost = [];
    private readonly Queue<(double At, double Rate, long Round)> _rates = new();
    private double _rate;
    private long _unsentBytes;
    private long _sendNext;
    private long _receiveNext;
    private long _delivered;
    private double _deliveredAt;
    private long _highestSacked = -1;
    private double _nextSendAt;
    private bool _isSendScheduled;
    private double _srtt;
    private double _minRtt = double.MaxValue;
    private double _minRttAt;
    private long _round;
    private long _roundEnd;
    private double _fullRate;
    private int _fullRounds;
    private int _phase;
    private double _phaseAt;
    private bool _isStartup = true;
    private bool _isDrain;
    private double _rto = 1_000_000;
    private int _backoff;
    private long _timerVersion;
    private long _inFlightBytes;
    private double _deliveryRate;
    private long _retransmits;
    private double _heardAt;
    private double _keptWindow = 10 * SegmentBytes;
    private double _fullAt = double.NegativeInfinity;
    private double _begunAt;

    internal long UnsentBytes => _unsentBytes;

    internal bool IsDead { get; set; }

    private double Bandwidth => _rate > 0 ? _rate : _keptWindow / Math.Max(1000, _srtt > 0 ? _srtt : 50_000);

    private double Gain => _isStartup ? StartupGain : _isDrain ? 1 / StartupGain : Gains[_phase];

    private double WindowBytes => _rate <= 0 ? _keptWindow
        : Math.Max(MinWindow, (_isStartup || _isDrain ? StartupGain : 2) * _rate * (_minRtt == double.MaxValue ? 50_000 : _minRtt));

    /// <summary>The writer's side. The array is the connection's from now on.</summary>
    internal void Write(byte[] bytes, int length)
    {
        _unsent.Enqueue((bytes, 0, length));
        _unsentBytes += length;
        TrySend();
    }

    /// <summary>As <see cref="LaneCongestion"/>: BBR begins anew with the window that there was, after a rest and before it would probe for its round trip.</summary>
    internal void Note(bool isFull)
    {
        double now = simulator.Now;
        if (!isFull)
        {
            return;
        }

        if (now - _fullAt > Math.Max(RestRtts * _srtt, MinRestUs) || now - _begunAt > RenewalUs)
        {
            _begunAt = now;
            _rate = 0;
            _rates.Clear();
            _isStartup = true;
            _isDrain = false;
            _fullRate = 0;
            _fullRounds = 0;
            _minRttAt = now;
        }

        _fullAt = now;
        _keptWindow = Math.Max(10 * SegmentBytes, WindowBytes);
    }

    public bool TryRead(out LaneReading reading)
    {
        reading = new LaneReading
        {
            UnsentBytes = _unsentBytes,
            InFlightBytes = _inFlightBytes,
            PipeBytes = _inFlightBytes,
            Rtt = TimeSpan.FromMicroseconds(_srtt),
            MinRtt = _minRtt == double.MaxValue ? null : TimeSpan.FromMicroseconds(_minRtt),
            DeliveryRateBytesPerSecond = (long)(_deliveryRate * 1e6),
            PacingRateBytesPerSecond = (long)(Bandwidth * Gain * 1e6),
            CongestionWindowBytes = (long)WindowBytes,
            AcknowledgedBytes = _delivered,
            RetransmittedSegments = _retransmits,
            SinceAcknowledgement = TimeSpan.FromMicroseconds(simulator.Now - _heardAt),
        };
        return true;
    }

    private void TrySend()
    {
        if (_isSendScheduled || IsDead)
        {
            return;
        }

        if ((_unsentBytes == 0 && _lost.Count == 0) || _inFlightBytes + SegmentBytes > WindowBytes)
        {
            return;
        }

        if (_nextSendAt > simulator.Now)
        {
            _isSendScheduled = true;
            simulator.At(_nextSendAt, () =>
            {
                _isSendScheduled = false;
                TrySend();
            });
            return;
        }

        if (_lost.Count > 0)
        {
            // What was lost goes before what is new.
            var again = _lost.First().Value;
            _lost.Remove(again.Start);
            _retransmits++;
            Transmit(again);
            TrySend();
            return;
        }

        byte[] bytes = new byte[(int)Math.Min(SegmentBytes, _unsentBytes)];
        for (int filled = 0; filled < bytes.Length;)
        {
            var head = _unsent.Peek();
            int count = Math.Min(head.Length, bytes.Length - filled);
            Array.Copy(head.Bytes, head.Start, bytes, filled, count);
            filled += count;
            _unsent.Dequeue();
            if (count < head.Length)
            {
                // Put back in front: what is left of a write.
                var rest = _unsent.ToArray();
                _unsent.Clear();
                _unsent.Enqueue((head.Bytes, head.Start + count, head.Length - count));
                foreach (var one in rest)
                {
                    _unsent.Enqueue(one);
                }
            }
        }

        _unsentBytes -= bytes.Length;
        var segment = new Segment(_sendNext, bytes);
        _sendNext += bytes.Length;
        _inFlight.Add(segment.Start, segment);
        Transmit(segment);
        TrySend();
    }

    private void Transmit(Segment segment)
    {
        if (_inFlight.Count == 1)
        {
            Arm();
        }

        segment.SentAt = simulator.Now;
        segment.DeliveredAtSend = _delivered;
        segment.DeliveredTimeAtSend = _deliveredAt == 0 ? simulator.Now : _deliveredAt;
        segment.Sends++;
        segment.IsLost = false;
        _inFlightBytes += segment.Bytes.Length;
        int wire = segment.Bytes.Length + HeaderBytes;
        _nextSendAt = Math.Max(_nextSendAt, simulator.Now) + (wire / (Bandwidth * Gain));
        int sends = segment.Sends;
        if (forward.Send(simulator.Now, wire) is { } arrival)
        {
            simulator.At(arrival, () => Arrive(segment, sends));
        }
    }

    private void Arrive(Segment segment, int sends)
    {
        if (IsDead)
        {
            return;
        }

        if (segment.Start >= _receiveNext && !_outOfOrder.ContainsKey(segment.Start))
        {
            _outOfOrder.Add(segment.Start, segment);
            while (_outOfOrder.Count > 0 && _outOfOrder.First() is var first && first.Key == _receiveNext)
            {
                _outOfOrder.Remove(first.Key);
                _receiveNext += first.Value.Bytes.Length;
                deliver(first.Value.Bytes, first.Value.Bytes.Length);
            }
        }

        // Each segment is acknowledged by itself, selectively; the way back is not loaded by it.
        if (back.Send(simulator.Now, HeaderBytes) is { } at)
        {
            simulator.At(at, () => Acknowledge(segment, sends));
        }
    }

    private sealed class Segment(long start, byte[] bytes)
    {
        internal long Start { get; } = start;

        internal byte[] Bytes { get; } = bytes;

        internal double SentAt { get; set; }

        internal long DeliveredAtSend { get; set; }

        internal double DeliveredTimeAtSend { get; set; }

        internal bool IsLost { get; set; }

        internal int Sends { get; set; }
    }
}
