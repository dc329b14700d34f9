namespace Aggregator.Tun;

/// <summary>
/// How long a device's reader rests before it looks again, as network cards moderate their interrupts (ethtool's rx-usecs): at many packets a second a wake-up for each few of them
/// costs several times what the packets do. At few there is no rest, so that a question is answered at once.
/// </summary>
internal struct ReadPace
{
    /// <summary>Above what calls, games and the acknowledgements of a fast download come to.</summary>
    internal const double BusyPerSecond = 20_000;

    /// <summary>A batch that is worth a wake-up.</summary>
    private const int WantedPackets = 32;

    /// <summary>A quarter of a millisecond: below what any line varies by. A queue of 500 packets (the device's) holds what comes meanwhile at 2 million a second.</summary>
    internal const int MostUs = 250;

    /// <summary>The rate of the last batches, each weighed by its time.</summary>
    private const double MemoryUs = 2_000;

    private double _perUs;
    private long _lastUs;

    /// <param name="packets">Read just now.</param>
    /// <param name="isFull">More wait.</param>
    /// <returns>Microseconds to rest; 0: none.</returns>
    internal int After(int packets, bool isFull, long nowUs)
    {
        double elapsed = Math.Max(1, nowUs - _lastUs);
        _lastUs = nowUs;
        double weight = elapsed / (elapsed + MemoryUs);
        _perUs += weight * ((packets / elapsed) - _perUs);
        return isFull || _perUs < BusyPerSecond / 1e6 ? 0 : (int)Math.Min(MostUs, WantedPackets / _perUs);
    }
}
