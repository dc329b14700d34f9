namespace Aggregator.Lab.Emulation;

/// <summary>The counters, written by the wire's thread alone, and the bound of its memory.</summary>
internal sealed unsafe partial class LinkDirection
{
    /// <summary>Headers and alignment at most double and a half what frames of 40-byte packets take.</summary>
    private const double RingOverhead = 2.5;

    /// <summary>Room for the longest frame before and after the wrap, with as much again.</summary>
    private const long SmallestRingBytes = 512 * 1024;

    /// <summary>Without a rate only this bounds what is under way.</summary>
    private const long UnlimitedRingBytes = 32L * 1024 * 1024;

    /// <summary>The bound for any settings; memory is touched only as far as it is used.</summary>
    private const long LargestRingBytes = 256L * 1024 * 1024;

    private long _packetsIn;
    private long _bytesIn;
    private long _packetsDelivered;
    private long _bytesDelivered;
    private long _packetsDroppedByQueue;
    private long _packetsDroppedByLoss;
    private long _packetsDroppedByOutage;
    private long _packetsDroppedByMtu;
    private long _packetsDroppedByMiddlebox;
    private long _packetsStripped;
    private long _queueBytesPeak;

    /// <summary>A snapshot; each number is right, their moments differ by microseconds.</summary>
    internal LinkCounters Counters => new()
    {
        PacketsIn = Volatile.Read(ref _packetsIn),
        BytesIn = Volatile.Read(ref _bytesIn),
        PacketsDelivered = Volatile.Read(ref _packetsDelivered),
        BytesDelivered = Volatile.Read(ref _bytesDelivered),
        PacketsDroppedByQueue = Volatile.Read(ref _packetsDroppedByQueue),
        PacketsDroppedByLoss = Volatile.Read(ref _packetsDroppedByLoss),
        PacketsDroppedByOutage = Volatile.Read(ref _packetsDroppedByOutage),
        PacketsDroppedByMtu = Volatile.Read(ref _packetsDroppedByMtu),
        PacketsDroppedByMiddlebox = Volatile.Read(ref _packetsDroppedByMiddlebox),
        PacketsStripped = Volatile.Read(ref _packetsStripped),
        QueueBytesNow = Volatile.Read(ref _waitingBytes),
        QueueBytesPeak = Volatile.Read(ref _queueBytesPeak),
    };

    private static long RingBytes(LinkSettings settings)
    {
        if (settings.RateBitsPerSecond is not { } rate)
        {
            return UnlimitedRingBytes;
        }

        double underWay = settings.EffectiveQueueBytes + (rate / 8.0 * (settings.Delay + settings.Jitter).TotalSeconds);
        return (long)Math.Min(SmallestRingBytes + (RingOverhead * underWay), LargestRingBytes);
    }
}
