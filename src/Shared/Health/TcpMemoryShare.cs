namespace Aggregator.Health;

/// <summary>
/// What the kernel may hold for one connection whose reader may stop reading, by what is left of the host's memory for TCP (tcp_mem). The kernel by itself grows
/// each to megabytes as long as there is any, and when there is none it cuts every connection's window, those of lanes too: three hundred downloads
/// that nobody read held 490 MB.
/// </summary>
internal sealed class TcpMemoryShare(HostFiles files, TimeProvider time)
{
    /// <summary>Ours and everybody's together stay below this part of the kernel's mark: at three quarters of it the kernel's pressure ends, once begun.</summary>
    private const double Part = 0.5;

    /// <summary>Of what is free: so many may come at a time before the next look.</summary>
    private const int Sharers = 8;

    /// <summary>10 Mbit/s over 100 ms; with less nothing would be saved, since the kernel begins with it.</summary>
    private const int LeastBytes = 128 * 1024;

    /// <summary>A gigabit over 100 ms: who may have so much may as well have what the kernel gives.</summary>
    private const long PlentyBytes = 12L << 20;

    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(100);

    private readonly Lock _lock = new();
    private long _lookedAt;
    private int? _bytes;

    /// <returns>For SO_RCVBUF, which takes twice of it; 0: leave it to the kernel.</returns>
    internal int ReceiveBufferBytes()
    {
        lock (_lock)
        {
            if (_bytes is not { } known || time.GetElapsedTime(_lookedAt) >= LookAgain)
            {
                _bytes = known = Of(TcpMemoryFigures.Parse(files.Read("/proc/net/sockstat"), files.Read("/proc/sys/net/ipv4/tcp_mem")), Environment.SystemPageSize);
                _lookedAt = time.GetTimestamp();
            }

            return known;
        }
    }

    internal static int Of(TcpMemoryFigures tcp, int pageBytes)
    {
        if (tcp is not { UsedPages: { } used, PressurePages: { } mark })
        {
            return 0;
        }

        // Halved: the kernel doubles what it is given.
        double share = ((mark * Part) - used) * pageBytes / Sharers / 2;
        return share >= PlentyBytes ? 0 : (int)Math.Max(share, LeastBytes);
    }
}
