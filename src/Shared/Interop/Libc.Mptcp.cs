using System.Runtime.InteropServices;

#pragma warning disable CS8981 // lower-case type names: they are the kernel's

namespace Aggregator.Interop;

/// <summary>linux/mptcp.h, linux/mptcp_pm.h and struct tcp_info of linux/tcp.h.</summary>
internal static unsafe partial class Libc
{
    internal const int SOL_MPTCP = 284;
    internal const int MPTCP_INFO = 1;
    internal const int MPTCP_TCPINFO = 2;
    internal const int MPTCP_SUBFLOW_ADDRS = 3;
    internal const int MPTCP_FULL_INFO = 4;

    internal const uint MPTCP_INFO_FLAG_FALLBACK = 1;

    internal const byte MPTCP_PM_CMD_ADD_ADDR = 1;
    internal const byte MPTCP_PM_CMD_DEL_ADDR = 2;
    internal const byte MPTCP_PM_CMD_GET_ADDR = 3;
    internal const byte MPTCP_PM_CMD_FLUSH_ADDRS = 4;
    internal const byte MPTCP_PM_CMD_SET_LIMITS = 5;
    internal const byte MPTCP_PM_CMD_GET_LIMITS = 6;
    internal const byte MPTCP_PM_CMD_SET_FLAGS = 7;
    internal const byte MPTCP_PM_CMD_ANNOUNCE = 8;
    internal const byte MPTCP_PM_CMD_REMOVE = 9;
    internal const byte MPTCP_PM_CMD_SUBFLOW_CREATE = 10;
    internal const byte MPTCP_PM_CMD_SUBFLOW_DESTROY = 11;

    internal const ushort MPTCP_PM_ATTR_ADDR = 1;
    internal const ushort MPTCP_PM_ATTR_RCV_ADD_ADDRS = 2;
    internal const ushort MPTCP_PM_ATTR_SUBFLOWS = 3;
    internal const ushort MPTCP_PM_ATTR_TOKEN = 4;
    internal const ushort MPTCP_PM_ATTR_LOC_ID = 5;
    internal const ushort MPTCP_PM_ATTR_ADDR_REMOTE = 6;

    internal const ushort MPTCP_PM_ADDR_ATTR_FAMILY = 1;
    internal const ushort MPTCP_PM_ADDR_ATTR_ID = 2;
    internal const ushort MPTCP_PM_ADDR_ATTR_ADDR4 = 3;
    internal const ushort MPTCP_PM_ADDR_ATTR_ADDR6 = 4;
    internal const ushort MPTCP_PM_ADDR_ATTR_PORT = 5;
    internal const ushort MPTCP_PM_ADDR_ATTR_FLAGS = 6;
    internal const ushort MPTCP_PM_ADDR_ATTR_IF_IDX = 7;

    internal const ushort MPTCP_ATTR_TOKEN = 1;
    internal const ushort MPTCP_ATTR_LOC_ID = 3;
    internal const ushort MPTCP_ATTR_REM_ID = 4;
    internal const ushort MPTCP_ATTR_SADDR4 = 5;
    internal const ushort MPTCP_ATTR_SADDR6 = 6;
    internal const ushort MPTCP_ATTR_DADDR4 = 7;
    internal const ushort MPTCP_ATTR_DADDR6 = 8;
    internal const ushort MPTCP_ATTR_SPORT = 9;
    internal const ushort MPTCP_ATTR_DPORT = 10;
    internal const ushort MPTCP_ATTR_BACKUP = 11;
    internal const ushort MPTCP_ATTR_ERROR = 12;
    internal const ushort MPTCP_ATTR_FLAGS = 13;
    internal const ushort MPTCP_ATTR_IF_IDX = 15;
    internal const ushort MPTCP_ATTR_RESET_REASON = 16;
    internal const ushort MPTCP_ATTR_SERVER_SIDE = 18;

    /// <summary>MPTCP_ATTR_FLAGS, since 6.18; before it MPTCP_ATTR_SERVER_SIDE says so.</summary>
    internal const ushort MPTCP_PM_EV_FLAG_SERVER_SIDE = 2;

    /// <summary>struct sockaddr_storage: room for any address, 128 bytes.</summary>
    internal const int SockaddrStorageBytes = 128;

    /// <summary>Grown over the versions: 6.1 ends after csum_enabled, 6.5 after bytes_acked, 6.8 after subflows_total, 6.10 at the end.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 96)]
    internal struct mptcp_info
    {
        [FieldOffset(0)] internal byte mptcpi_subflows;
        [FieldOffset(1)] internal byte mptcpi_add_addr_signal;
        [FieldOffset(2)] internal byte mptcpi_add_addr_accepted;
        [FieldOffset(3)] internal byte mptcpi_subflows_max;
        [FieldOffset(4)] internal byte mptcpi_add_addr_signal_max;
        [FieldOffset(5)] internal byte mptcpi_add_addr_accepted_max;
        [FieldOffset(8)] internal uint mptcpi_flags;
        [FieldOffset(12)] internal uint mptcpi_token;
        [FieldOffset(16)] internal ulong mptcpi_write_seq;
        [FieldOffset(24)] internal ulong mptcpi_snd_una;
        [FieldOffset(32)] internal ulong mptcpi_rcv_nxt;
        [FieldOffset(40)] internal byte mptcpi_local_addr_used;
        [FieldOffset(41)] internal byte mptcpi_local_addr_max;
        [FieldOffset(42)] internal byte mptcpi_csum_enabled;
        [FieldOffset(44)] internal uint mptcpi_retransmits;
        [FieldOffset(48)] internal ulong mptcpi_bytes_retrans;
        [FieldOffset(56)] internal ulong mptcpi_bytes_sent;
        [FieldOffset(64)] internal ulong mptcpi_bytes_received;
        [FieldOffset(72)] internal ulong mptcpi_bytes_acked;
        [FieldOffset(80)] internal byte mptcpi_subflows_total;
        [FieldOffset(84)] internal uint mptcpi_last_data_sent;
        [FieldOffset(88)] internal uint mptcpi_last_data_recv;
        [FieldOffset(92)] internal uint mptcpi_last_ack_recv;
    }

    /// <summary>Head of MPTCP_TCPINFO and MPTCP_SUBFLOW_ADDRS; elements follow.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 16)]
    internal struct mptcp_subflow_data
    {
        [FieldOffset(0)] internal uint size_subflow_data;
        [FieldOffset(4)] internal uint num_subflows;
        [FieldOffset(8)] internal uint size_kernel;
        [FieldOffset(12)] internal uint size_user;
    }

    /// <summary>Element of MPTCP_FULL_INFO's first array: the id, then local and remote address.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 264)]
    internal struct mptcp_subflow_info
    {
        internal const int LocalOffset = 8;
        internal const int RemoteOffset = LocalOffset + SockaddrStorageBytes;

        [FieldOffset(0)] internal uint id;
    }

    [StructLayout(LayoutKind.Explicit, Size = 136)]
    internal struct mptcp_full_info
    {
        [FieldOffset(0)] internal uint size_tcpinfo_kernel;
        [FieldOffset(4)] internal uint size_tcpinfo_user;
        [FieldOffset(8)] internal uint size_sfinfo_kernel;
        [FieldOffset(12)] internal uint size_sfinfo_user;
        [FieldOffset(16)] internal uint num_subflows;
        [FieldOffset(20)] internal uint size_arrays_user;
        [FieldOffset(24)] internal ulong subflow_info;
        [FieldOffset(32)] internal ulong tcp_info;
        [FieldOffset(40)] internal mptcp_info mptcp_info;
    }

    /// <summary>6.1 ends after tcpi_snd_wnd (232 bytes); later ones are longer than this.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 248)]
    internal struct tcp_info
    {
        [FieldOffset(0)] internal byte tcpi_state;
        [FieldOffset(1)] internal byte tcpi_ca_state;
        [FieldOffset(2)] internal byte tcpi_retransmits;
        [FieldOffset(4)] internal byte tcpi_backoff;
        [FieldOffset(8)] internal uint tcpi_rto;
        [FieldOffset(16)] internal uint tcpi_snd_mss;
        [FieldOffset(20)] internal uint tcpi_rcv_mss;
        [FieldOffset(24)] internal uint tcpi_unacked;
        [FieldOffset(28)] internal uint tcpi_sacked;
        [FieldOffset(32)] internal uint tcpi_lost;
        [FieldOffset(36)] internal uint tcpi_retrans;
        [FieldOffset(44)] internal uint tcpi_last_data_sent;
        [FieldOffset(52)] internal uint tcpi_last_data_recv;
        [FieldOffset(56)] internal uint tcpi_last_ack_recv;
        [FieldOffset(60)] internal uint tcpi_pmtu;
        [FieldOffset(68)] internal uint tcpi_rtt;
        [FieldOffset(72)] internal uint tcpi_rttvar;
        [FieldOffset(76)] internal uint tcpi_snd_ssthresh;
        [FieldOffset(80)] internal uint tcpi_snd_cwnd;
        [FieldOffset(88)] internal uint tcpi_reordering;
        [FieldOffset(92)] internal uint tcpi_rcv_rtt;
        [FieldOffset(96)] internal uint tcpi_rcv_space;
        [FieldOffset(100)] internal uint tcpi_total_retrans;
        [FieldOffset(104)] internal ulong tcpi_pacing_rate;
        [FieldOffset(120)] internal ulong tcpi_bytes_acked;
        [FieldOffset(128)] internal ulong tcpi_bytes_received;
        [FieldOffset(136)] internal uint tcpi_segs_out;
        [FieldOffset(140)] internal uint tcpi_segs_in;
        [FieldOffset(144)] internal uint tcpi_notsent_bytes;
        [FieldOffset(148)] internal uint tcpi_min_rtt;
        [FieldOffset(152)] internal uint tcpi_data_segs_in;
        [FieldOffset(156)] internal uint tcpi_data_segs_out;
        [FieldOffset(160)] internal ulong tcpi_delivery_rate;
        [FieldOffset(168)] internal ulong tcpi_busy_time;
        [FieldOffset(176)] internal ulong tcpi_rwnd_limited;
        [FieldOffset(184)] internal ulong tcpi_sndbuf_limited;
        [FieldOffset(192)] internal uint tcpi_delivered;
        [FieldOffset(200)] internal ulong tcpi_bytes_sent;
        [FieldOffset(208)] internal ulong tcpi_bytes_retrans;
        [FieldOffset(224)] internal uint tcpi_rcv_ooopack;
        [FieldOffset(228)] internal uint tcpi_snd_wnd;
    }
}
