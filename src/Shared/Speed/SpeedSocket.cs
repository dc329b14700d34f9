using System.Net.Sockets;
using Aggregator.Interop;
using Aggregator.Mptcp;

namespace Aggregator.Speed;

/// <summary>How test connections send.</summary>
internal static class SpeedSocket
{
    /// <summary>
    /// What may wait in the kernel unsent: so little that a slow line's sender can be stopped at once (two streams at 5 Mbit/s: 0.2 s),
    /// and enough for 10 Gbit/s between two wake-ups of the sender.
    /// </summary>
    private const int UnsentBytes = 128 * 1024;

    /// <summary>Holds its rate where packets are lost, and a short queue. Not every host has it.</summary>
    private const string Best = "bbr";

    private const string BestNearby = "cubic";

    /// <summary>Doubles until packets are lost, whatever the delay: cubic's slow start ends when the delay grows (HyStart), long before a queue is full.</summary>
    private const string LossBased = "reno";

    /// <summary>Before the first byte is sent.</summary>
    /// <param name="paceKbps">The most it may send; 0: no bound. Plain TCP only (EOPNOTSUPP on MPTCP).</param>
    internal static void Prepare(Socket socket, SpeedLoad load, uint paceKbps = 0)
    {
        SocketOptions.SetNoDelay(socket);
        TrySet(() => SocketOptions.SetNotSentLowWater(socket, UnsentBytes));
        // Away from what it is and back: BBR would start from the handshake's rate, which it takes for the line's.
        TrySet(() => SocketOptions.SetCongestionControl(socket, LossBased));
        // Over less than a millisecond BBR's model of the path breaks (see CongestionChoice).
        if (load == SpeedLoad.Best && TcpInfo.TryRead(socket, out TcpInfo info) == 0 && info.Rtt < TimeSpan.FromMilliseconds(1))
        {
            TrySet(() => SocketOptions.SetCongestionControl(socket, BestNearby));
        }
        else if (load == SpeedLoad.Best)
        {
            TrySet(() => SocketOptions.SetCongestionControl(socket, Best));
        }

        if (paceKbps > 0)
        {
            TrySet(() => SocketOptions.SetMaxPacingRate(socket, (uint)Math.Min(uint.MaxValue, paceKbps * 125UL)));
        }
    }

    /// <summary>What a host does not have or allow (ENOENT, EPERM, ENOPROTOOPT on old MPTCP): its default serves.</summary>
    private static void TrySet(Action set)
    {
        try
        {
            set();
        }
        catch (LibcException)
        {
        }
    }
}
