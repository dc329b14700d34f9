using System.Net;
using System.Net.Sockets;
using Aggregator.Interop;
using Aggregator.Mptcp;

namespace Aggregator.Trunk;

/// <summary>
/// A lane's connection as the kernel sees it: of an MPTCP connection the first subflow, which is bound to the lane's own WAN (MPTCP_FULL_INFO);
/// of one that goes on as plain TCP the connection itself (TCP_INFO). The other subflows are backups: what the kernel sends over them takes
/// another lane's capacity, so they count only as a sign that the lane has left its own WAN. One reader at a time; the figures may be looked at by others.
/// </summary>
internal sealed class SocketLaneMeter : ILaneMeter
{
    /// <summary>The first and the kernel's limit of 8 beside it (up to 6.18).</summary>
    private const int MostSubflows = 9;

    private readonly Socket _socket;
    private readonly SubflowAddress _local;
    private readonly SubflowAddress _remote;
    private readonly MptcpSubflow[] _subflows = new MptcpSubflow[MostSubflows];
    private ulong _sentElsewhere;
    private ulong _acknowledged;
    private volatile bool _fellBack;
    private volatile bool _isElsewhere;
    private volatile bool _hasLostOwnPath;
    private volatile int _backups;

    internal SocketLaneMeter(Socket socket)
    {
        _socket = socket;
        _local = socket.LocalEndPoint is IPEndPoint local ? SubflowAddress.From(local) : default;
        _remote = socket.RemoteEndPoint is IPEndPoint remote ? SubflowAddress.From(remote) : default;
    }

    /// <summary>The connection goes on as plain TCP: a box on the way, or the peer, does not let MPTCP through.</summary>
    internal bool FellBack => _fellBack;

    /// <summary>The kernel sends the lane's bytes over a backup: its own WAN does not acknowledge them.</summary>
    internal bool IsElsewhere => _isElsewhere;

    /// <summary>The subflow over the lane's own WAN is closed for good.</summary>
    internal bool HasLostOwnPath => _hasLostOwnPath;

    /// <summary>Established subflows over other WANs.</summary>
    internal int Backups => _backups;

    public bool TryRead(out LaneReading reading)
    {
        reading = default;
        try
        {
            if (!_fellBack)
            {
                int errno = MptcpSampler.TryRead(_socket, _subflows, out MptcpSample sample);
                if (errno == 0 && !sample.Connection.FellBack)
                {
                    reading = Read(in sample);
                    return true;
                }

                if (errno is not (0 or Libc.EOPNOTSUPP or Libc.ENOPROTOOPT))
                {
                    return false;
                }

                // For good: a connection never becomes MPTCP again.
                _fellBack = true;
                _isElsewhere = _hasLostOwnPath = false;
                _backups = 0;
            }

            if (TcpInfo.TryRead(_socket, out TcpInfo tcp) != 0)
            {
                return false;
            }

            reading = Of(in tcp);
            return true;
        }
        catch (ObjectDisposedException)
        {
            return false;
        }
    }

    private LaneReading Read(in MptcpSample sample)
    {
        int own = -1;
        int backups = 0;
        ulong elsewhere = 0;
        for (int i = 0; i < sample.Count; i++)
        {
            ref readonly MptcpSubflow subflow = ref _subflows[i];
            if (subflow.Local == _local && subflow.Remote == _remote)
            {
                own = i;
                continue;
            }

            elsewhere += subflow.Tcp.BytesSent;
            backups += subflow.Tcp.State == TcpState.Established ? 1 : 0;
        }

        _backups = backups;
        // A backup that closed takes its bytes out of the sum: only a rise says something.
        bool moved = elsewhere > _sentElsewhere;
        _sentElsewhere = elsewhere;
        _hasLostOwnPath = own < 0 || _subflows[own].Tcp.State is TcpState.Close or TcpState.TimeWait or TcpState.Unknown;
        if (_hasLostOwnPath)
        {
            _isElsewhere = true;
            return new LaneReading { OffOwnPath = true };
        }

        TcpInfo tcp = _subflows[own].Tcp;
        LaneReading reading = Of(in tcp);
        bool answers = (ulong)reading.AcknowledgedBytes > _acknowledged;
        _acknowledged = (ulong)reading.AcknowledgedBytes;
        _isElsewhere = !answers && (moved || _isElsewhere);
        if (_isElsewhere)
        {
            return reading with { OffOwnPath = true };
        }

        // What the subflow did not take yet: written, not acknowledged at the upper level, and not in the subflow either.
        long above = (long)sample.Connection.UnacknowledgedBytes - reading.UnsentBytes - reading.InFlightBytes;
        return above > 0 ? reading with { UnsentBytes = reading.UnsentBytes + above } : reading;
    }

    private static LaneReading Of(in TcpInfo tcp) => new()
    {
        UnsentBytes = tcp.NotSentBytes,
        InFlightBytes = (long)tcp.UnacknowledgedSegments * tcp.SegmentBytes,
        PipeBytes = (long)tcp.PipeSegments * tcp.SegmentBytes,
        Rtt = tcp.Rtt,
        RttVariation = tcp.RttVariation,
        MinRtt = tcp.MinRtt,
        DeliveryRateBytesPerSecond = (long)tcp.DeliveryRateBytesPerSecond,
        PacingRateBytesPerSecond = (long)Math.Min(tcp.PacingRateBytesPerSecond ?? 0, long.MaxValue),
        CongestionWindowBytes = (long)tcp.CongestionWindowBytes,
        AcknowledgedBytes = (long)tcp.BytesAcknowledged,
        RetransmittedSegments = tcp.Retransmits,
        SinceAcknowledgement = tcp.SinceAcknowledged,
    };
}
