using System.Net.Sockets;
using System.Numerics;
using Aggregator.Mptcp;

namespace Aggregator.Trunk;

/// <summary>
/// Which congestion control a lane has at a moment: BBR, begun anew, while it has all the bytes that it can take; cubic otherwise. MPTCP hands bytes to
/// its subflows without telling TCP when it has run out of them (tcp_rate_check_app_limited has no caller in net/mptcp), so BBR takes what a lane
/// of small requests moves for all that its path gives, and would climb from there by a quarter in eight round trips. Cubic keeps its window meanwhile
/// (with net.ipv4.tcp_slow_start_after_idle=0), and BBR begins from it.
/// </summary>
/// <param name="lane">Its number: lanes begin anew apart from each other.</param>
internal sealed class LaneCongestion(Socket socket, TimeProvider time, uint lane)
{
    /// <summary>BBR forgets what it had seen after ten round trips (bbr_bw_rtts); before half of that a gap does no harm.</summary>
    private const double RestRtts = 4;

    private static readonly TimeSpan MinRest = TimeSpan.FromMilliseconds(60);

    /// <summary>
    /// Ten seconds after its shortest round trip BBR sends next to nothing for 200 ms to see it again (PROBE_RTT, tcp_bbr.c). We keep queues short
    /// (<see cref="LaneWindow"/>), so there is nothing to see; begun anew before that it goes on at full rate.
    /// </summary>
    private static readonly TimeSpan Renewal = TimeSpan.FromSeconds(7.5);
    private const double RenewalSpread = 0.25;

    /// <summary>Whole multiples of it, without what is before the point, lie as far apart as can be (the golden ratio).</summary>
    private const double Apart = 0.618034;

    /// <summary>A path whose round trips have become so much longer than the shortest known is another path: BBR shall look.</summary>
    private const double ChangedPath = 3;

    /// <summary>
    /// A lane's send buffer. Linux 6.18 sizes that of a subflow only after a writer had to wait for the connection (SOCK_NOSPACE, tcp_check_space), and we
    /// never let one wait: lanes were held to the first 46 KB, 5 Mbit/s over 60 ms. So it is set: it bounds only what is under way, for we
    /// hand over no more than goes out. Twice the window, of which the kernel makes four times.
    /// </summary>
    private const long FirstBufferBytes = 2 << 20;
    private const long MostBufferBytes = 32 << 20;
    private const int BufferWindows = 2;

    private readonly TimeSpan _renewal = Renewal * (1 + (lane * Apart % 1 * RenewalSpread));
    private long _lastFull;
    private long _begun;
    private bool _carries;
    private long _bufferBytes;

    /// <summary>To be called after each look at what the lane could take.</summary>
    /// <param name="isFull">It has all that it can take, and more waits.</param>
    internal void Note(bool isFull, in LaneReading reading)
    {
        long now = time.GetTimestamp();
        if (isFull)
        {
            _lastFull = now;
            Widen(reading);
            if (!_carries || (time.GetElapsedTime(_begun, now) > _renewal && !IsChanged(reading)))
            {
                _carries = true;
                _begun = now;
                CongestionChoice.Renew(socket);
            }
        }
        else if (_carries && time.GetElapsedTime(_lastFull, now) > Rest(reading))
        {
            _carries = false;
            CongestionChoice.Wait(socket);
        }
    }

    private void Widen(in LaneReading reading)
    {
        long wanted = Math.Min(MostBufferBytes, Math.Max(FirstBufferBytes, BufferWindows * reading.CongestionWindowBytes));
        if (wanted > _bufferBytes)
        {
            // By doublings: it follows a start-up with a few calls.
            _bufferBytes = (long)BitOperations.RoundUpToPowerOf2((ulong)wanted);
            CongestionChoice.SetLongPathBuffer(socket, (int)_bufferBytes);
        }
    }

    private static TimeSpan Rest(in LaneReading reading)
    {
        TimeSpan rest = reading.Rtt * RestRtts;
        return rest > MinRest ? rest : MinRest;
    }

    private static bool IsChanged(in LaneReading reading) => reading.MinRtt is { } least && reading.Rtt > least * ChangedPath;
}
