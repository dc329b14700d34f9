using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Aggregator.Interop;

namespace Aggregator.Mptcp;

/// <summary>TCP states as tcp_info has them, net/tcp_states.h.</summary>
internal enum TcpState : byte
{
    Unknown = 0,
    Established = 1,
    SynSent = 2,
    SynReceived = 3,
    FinWait1 = 4,
    FinWait2 = 5,
    TimeWait = 6,
    Close = 7,
    CloseWait = 8,
    LastAck = 9,
    Listen = 10,
    Closing = 11,
}

/// <summary>struct tcp_info of one TCP connection or one MPTCP subflow. All fields used here exist since Linux 4.19.</summary>
internal readonly struct TcpInfo
{
    private readonly Libc.tcp_info _raw;

    private TcpInfo(in Libc.tcp_info raw) => _raw = raw;

    internal TcpState State => (TcpState)_raw.tcpi_state;

    /// <summary>Smoothed round-trip time; zero as long as none was measured.</summary>
    internal TimeSpan Rtt => Microseconds(_raw.tcpi_rtt);

    internal TimeSpan RttVariation => Microseconds(_raw.tcpi_rttvar);

    /// <summary>The lowest of the kernel's window; null as long as none was measured.</summary>
    internal TimeSpan? MinRtt => _raw.tcpi_min_rtt == uint.MaxValue ? null : Microseconds(_raw.tcpi_min_rtt);

    internal TimeSpan RetransmissionTimeout => Microseconds(_raw.tcpi_rto);

    internal uint CongestionWindowSegments => _raw.tcpi_snd_cwnd;

    /// <summary>Payload bytes of a full segment.</summary>
    internal uint SegmentBytes => _raw.tcpi_snd_mss;

    internal ulong CongestionWindowBytes => (ulong)_raw.tcpi_snd_cwnd * _raw.tcpi_snd_mss;

    /// <summary>Segments sent and not acknowledged.</summary>
    internal uint UnacknowledgedSegments => _raw.tcpi_unacked;

    internal uint LostSegments => _raw.tcpi_lost;

    /// <summary>What is on the way at this moment: neither acknowledged, selectively too, nor held for lost (tcp_packets_in_flight, include/net/tcp.h).</summary>
    internal uint PipeSegments => (uint)Math.Max(0, (long)_raw.tcpi_unacked - _raw.tcpi_sacked - _raw.tcpi_lost + _raw.tcpi_retrans);

    /// <summary>Of the current timeout, in a row; 0 when the path answers.</summary>
    internal byte TimeoutsInARow => _raw.tcpi_retransmits;

    /// <summary>Segments sent again since the connection exists.</summary>
    internal uint Retransmits => _raw.tcpi_total_retrans;

    internal uint SegmentsSent => _raw.tcpi_segs_out;

    /// <summary>Segments with payload that came.</summary>
    internal uint DataSegmentsReceived => _raw.tcpi_data_segs_in;

    /// <summary>Of these, those that came before one that should have come earlier; 0 before Linux 5.4.</summary>
    internal uint SegmentsOutOfOrder => _raw.tcpi_rcv_ooopack;

    internal uint DataSegmentsSent => _raw.tcpi_data_segs_out;

    /// <summary>Bytes of payload that the peer acknowledged; the kernel counts the SYN as one.</summary>
    internal ulong BytesAcknowledged => _raw.tcpi_bytes_acked;

    internal ulong BytesReceived => _raw.tcpi_bytes_received;

    /// <summary>Retransmissions included.</summary>
    internal ulong BytesSent => _raw.tcpi_bytes_sent;

    /// <summary>
    /// Payload that the receiver has, what lies behind a hole included (by SACK): smoother than what either end counts in order. Segments that were
    /// not full count as the mean one.
    /// </summary>
    internal double BytesDelivered => _raw.tcpi_data_segs_out == 0
        ? 0
        : _raw.tcpi_delivered * (double)_raw.tcpi_bytes_sent / _raw.tcpi_data_segs_out;

    internal ulong BytesRetransmitted => _raw.tcpi_bytes_retrans;

    /// <summary>Written and waiting in this subflow, not on the wire yet.</summary>
    internal uint NotSentBytes => _raw.tcpi_notsent_bytes;

    /// <summary>The kernel's estimate of what the path delivers, bytes a second.</summary>
    internal ulong DeliveryRateBytesPerSecond => _raw.tcpi_delivery_rate;

    /// <summary>Bytes a second; null where nothing paces.</summary>
    internal ulong? PacingRateBytesPerSecond => _raw.tcpi_pacing_rate == ulong.MaxValue ? null : _raw.tcpi_pacing_rate;

    internal TimeSpan SinceDataSent => TimeSpan.FromMilliseconds(_raw.tcpi_last_data_sent);

    internal TimeSpan SinceDataReceived => TimeSpan.FromMilliseconds(_raw.tcpi_last_data_recv);

    internal TimeSpan SinceAcknowledged => TimeSpan.FromMilliseconds(_raw.tcpi_last_ack_recv);

    /// <summary>Time in which there was data to send, and its parts in which the receiver's window or our buffer held it up.</summary>
    internal TimeSpan Busy => Microseconds(_raw.tcpi_busy_time);

    internal TimeSpan LimitedByReceiver => Microseconds(_raw.tcpi_rwnd_limited);

    internal TimeSpan LimitedBySendBuffer => Microseconds(_raw.tcpi_sndbuf_limited);

    internal uint PathMtuBytes => _raw.tcpi_pmtu;

    /// <summary>Of a TCP socket, or of an MPTCP socket's first subflow. 0 or an errno.</summary>
    internal static unsafe int TryRead(Socket socket, out TcpInfo info)
    {
        Libc.tcp_info raw = default;
        uint length = (uint)sizeof(Libc.tcp_info);
        int errno = Libc.getsockopt(socket.SafeHandle, Libc.SOL_TCP, Libc.TCP_INFO, &raw, &length) < 0 ? Libc.Errno : 0;
        info = new TcpInfo(in raw);
        return errno;
    }

    /// <summary>From a kernel's structure of whatever length: what is beyond ours is left out, what is missing is 0.</summary>
    internal static TcpInfo Parse(ReadOnlySpan<byte> bytes)
    {
        Libc.tcp_info raw = default;
        Span<byte> target = MemoryMarshal.AsBytes(new Span<Libc.tcp_info>(ref raw));
        bytes[..Math.Min(bytes.Length, target.Length)].CopyTo(target);
        return new TcpInfo(in raw);
    }

    private static TimeSpan Microseconds(ulong microseconds) => new((long)Math.Min(microseconds, long.MaxValue / 10) * 10);
}
