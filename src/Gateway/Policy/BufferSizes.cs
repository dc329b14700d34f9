namespace Aggregator.Gateway.Policy;

/// <summary>
/// Socket buffer sizes (tcp_rmem, tcp_wmem) from rate × delay. They bound what a socket may hold; an idle one takes none of it.
/// </summary>
internal static class BufferSizes
{
    /// <summary>
    /// Rate of all WANs together until measured: a home's lines seldom exceed 1 Gbit/s in sum. An Ethernet port's speed says nothing of the line behind it.
    /// </summary>
    private const double AssumedBytesPerSecond = 125e6;

    /// <summary>A round trip with a loaded queue, where none was measured or the measured one is shorter (probes of idle lines are).</summary>
    private const double LeastRttMs = 100;

    /// <summary>Beyond a satellite's loaded round trip nothing is gained.</summary>
    private const double MostRttMs = 800;

    /// <summary>Receive window of MPTCP: 2 × rate × delay (RFC 6182), and the kernel takes half a buffer as window.</summary>
    private const double ReceiveFactor = 4;

    /// <summary>What is sent stays until acknowledged at the MPTCP level, across the slowest path.</summary>
    private const double SendFactor = 2;

    /// <summary>One socket may not take more than this part of the host's memory: the tens of busy flows of a home then fit.</summary>
    private const long MemoryShare = 64;

    /// <summary>
    /// More brought nothing: four WANs of 200 to 20 Mbit/s and 10 to 300 ms gave one download 50 to 60 Mbit/s with Linux's default of 6 MiB,
    /// 190 to 210 with 32 MiB, 170 to 230 with 200 MB.
    /// </summary>
    private const long Ceiling = 64 * 1024 * 1024;

    /// <summary>Linux's own default maximum; less would make matters worse.</summary>
    private const long Floor = 6 * 1024 * 1024;

    /// <summary>
    /// What a connection may hold before it was measured. The kernel's default is 128 KiB, and Linux 6.18 does not grow it for an MPTCP
    /// connection that exchanged a few bytes and then waited, as all of the pool do, until it has been busy about as long as it waited
    /// (the time stamps that it measures its round trip by are that old): downloads over 100 and 50 Mbit/s stayed at 17 Mbit/s after
    /// 20 s of waiting. Half of it is the first window, enough for 150 Mbit/s over 100 ms.
    /// </summary>
    private const long First = 4 * 1024 * 1024;

    internal static long FirstReceive(long memoryBytes) => Math.Min(First, Math.Max(Floor, memoryBytes / MemoryShare));

    internal static long Receive(double? worstRttMs, long memoryBytes) => Size(ReceiveFactor, worstRttMs, memoryBytes);

    internal static long Send(double? worstRttMs, long memoryBytes) => Size(SendFactor, worstRttMs, memoryBytes);

    private static long Size(double factor, double? worstRttMs, long memoryBytes)
    {
        // In doublings, so that a round trip a little longer is not a new setting.
        double rtt = LeastRttMs;
        while (rtt < MostRttMs && rtt < worstRttMs)
        {
            rtt *= 2;
        }

        long wanted = (long)(factor * AssumedBytesPerSecond * rtt / 1000);
        const long Page = 4096;
        return Math.Max(Floor, Math.Min(Math.Min(wanted, Ceiling), memoryBytes / MemoryShare)) / Page * Page;
    }
}
