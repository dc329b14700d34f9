using System.Net.Sockets;
using Aggregator.Mptcp;

namespace Aggregator.Trunk;

/// <summary>
/// Which congestion control a lane has at a moment: BBR, begun anew, when bulk begins; cubic while there is little to do. MPTCP hands bytes to its
/// subflows without telling TCP when it has run out of them (tcp_rate_check_app_limited has no caller in net/mptcp), so BBR takes what a lane of small
/// requests moves for all that its path gives, and would climb from there by a quarter in eight round trips.
/// </summary>
internal sealed class LaneCongestion(Socket socket, TimeProvider time)
{
    /// <summary>More than so much acknowledged in a <see cref="Step"/> is bulk: 1.3 Mbit/s, which the slowest line has.</summary>
    private const long BulkBytes = 16 * 1024;

    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(100);

    /// <summary>Without bulk for so long a lane waits again. Longer than a satellite takes to begin.</summary>
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(3);

    private long _stepBegan = time.GetTimestamp();
    private long _stepFrom;
    private long _lastBulk;
    private bool _carries;

    /// <summary>To be called with each reading; does something at most once in a <see cref="Step"/>.</summary>
    internal void Note(long acknowledgedBytes)
    {
        long now = time.GetTimestamp();
        if (time.GetElapsedTime(_stepBegan, now) < Step)
        {
            return;
        }

        bool bulk = acknowledgedBytes - _stepFrom >= BulkBytes;
        (_stepBegan, _stepFrom) = (now, acknowledgedBytes);
        if (bulk)
        {
            _lastBulk = now;
            if (!_carries)
            {
                _carries = true;
                CongestionChoice.Carry(socket);
            }
        }
        else if (_carries && time.GetElapsedTime(_lastBulk, now) >= Rest)
        {
            _carries = false;
            CongestionChoice.Wait(socket);
        }
    }
}
