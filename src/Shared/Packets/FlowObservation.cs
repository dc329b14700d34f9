namespace Aggregator.Packets;

/// <summary>
/// What a flow looks like from its packets' sizes and times. Small packets at a steady pace are a call or a game; a flow that is
/// new and small asks or answers something (DNS, handshakes); much for longer than a moment is bulk. The rest is default.
/// </summary>
internal struct FlowObservation(ulong key, long nowUs)
{
    /// <summary>A call's packets have 60 to 300 bytes, a game's up to 500 or so.</summary>
    private const int SmallBytes = 600;

    /// <summary>Ten packets a second (a slow game) to 250 (a call with frames of 4 ms).</summary>
    private const float MinIntervalUs = 3_500;
    private const float MaxIntervalUs = 110_000;

    /// <summary>Steady: intervals differ from their mean by less than so much of it on average. Games send in bursts of two.</summary>
    private const float MaxUnsteadiness = 1.1f;

    /// <summary>Packets before a pace is believed.</summary>
    private const int Enough = 12;

    /// <summary>So many small packets at the beginning of a TCP connection go first.</summary>
    private const int New = 7;

    /// <summary>More than so much in each of two windows is bulk, less than a quarter of it in one is no more.</summary>
    private const long WindowUs = 500_000;
    private const long BulkBytes = 8_000_000 / 8 / 2;

    private const float Gain = 1 / 8f;

    private int _count;
    private float _bytes;
    private float _intervalUs;
    private float _deviationUs;
    private long _windowFromUs = nowUs;
    private long _windowBytes;
    private byte _bulkWindows;

    internal ulong Key { get; } = key;

    internal long LastUs { get; private set; } = nowUs;

    internal PacketClass Note(in PacketInfo packet, long nowUs)
    {
        float interval = nowUs - LastUs;
        LastUs = nowUs;
        _count = Math.Min(_count + 1, 1 << 20);
        if (_count == 1)
        {
            _bytes = packet.Length;
        }
        else
        {
            _bytes += Gain * (packet.Length - _bytes);
            float bounded = Math.Min(interval, 10 * MaxIntervalUs);
            _deviationUs += Gain * (Math.Abs(bounded - _intervalUs) - _deviationUs);
            _intervalUs += (_count == 2 ? 1 : Gain) * (bounded - _intervalUs);
        }

        CountBulk(packet.Length, nowUs);
        if (_bulkWindows >= 2)
        {
            return PacketClass.Bulk;
        }

        bool small = _bytes <= SmallBytes && packet.Length <= 2 * SmallBytes;
        if (packet.Protocol is PacketInfo.Icmp or PacketInfo.IcmpV6 || !small)
        {
            // A ping that was treated better than the rest would not tell the truth about it.
            return PacketClass.Default;
        }

        // UDP until its pace can be told: a call whose first packets go one way, the next another and the rest the first again would be held up by its beginning.
        if (_count < (packet.Protocol == PacketInfo.Tcp ? New : Enough))
        {
            return PacketClass.RealTime;
        }

        bool paced = _count >= Enough && packet.Protocol != PacketInfo.Tcp
            && _intervalUs is >= MinIntervalUs and <= MaxIntervalUs && _deviationUs <= MaxUnsteadiness * _intervalUs;
        return paced ? PacketClass.RealTime : PacketClass.Default;
    }

    private void CountBulk(int bytes, long nowUs)
    {
        long elapsed = nowUs - _windowFromUs;
        if (elapsed >= WindowUs)
        {
            long inWindow = _windowBytes * WindowUs / elapsed;
            _bulkWindows = inWindow > BulkBytes ? (byte)Math.Min(_bulkWindows + 1, 2) : inWindow * 4 < BulkBytes ? (byte)0 : _bulkWindows;
            _windowFromUs = nowUs;
            _windowBytes = 0;
        }

        _windowBytes += bytes;
    }
}
