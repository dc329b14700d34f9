using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

#pragma warning disable CS8981 // lower-case type names: they are the kernel's

namespace Aggregator.Interop;

/// <summary>linux/sock_diag.h, inet_diag.h, mptcp.h: TCP sockets listed and ended.</summary>
internal static unsafe partial class Libc
{
    internal const int NETLINK_SOCK_DIAG = 4;

    internal const ushort SOCK_DIAG_BY_FAMILY = 20;
    internal const ushort SOCK_DESTROY = 21;

    internal const int INET_DIAG_INFO = 2;
    internal const ushort INET_DIAG_ULP_INFO = 19;
    internal const ushort INET_ULP_INFO_NAME = 1;
    internal const ushort INET_ULP_INFO_MPTCP = 3;
    internal const ushort MPTCP_SUBFLOW_ATTR_FLAGS = 8;

    /// <summary>The peer has agreed to MPTCP: in the first subflow's handshake, or in a join's.</summary>
    internal const uint MPTCP_SUBFLOW_FLAG_MCAP_REM = 1 << 0;
    internal const uint MPTCP_SUBFLOW_FLAG_JOIN_REM = 1 << 2;

    /// <summary>be16 ports, be32[4] addresses of which IPv4 takes the first.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct inet_diag_sockid
    {
        internal ushort idiag_sport;
        internal ushort idiag_dport;
        internal Bytes16 idiag_src;
        internal Bytes16 idiag_dst;
        internal uint idiag_if;
        internal diag_cookie idiag_cookie;
    }

    [InlineArray(16)]
    internal struct Bytes16
    {
        private byte _first;
    }

    /// <summary>__u32[2]</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct diag_cookie
    {
        internal uint low;
        internal uint high;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct inet_diag_req_v2
    {
        internal byte sdiag_family;
        internal byte sdiag_protocol;
        internal byte idiag_ext;
        internal byte pad;
        internal uint idiag_states;
        internal inet_diag_sockid id;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct inet_diag_msg
    {
        internal byte idiag_family;
        internal byte idiag_state;
        internal byte idiag_timer;
        internal byte idiag_retrans;
        internal inet_diag_sockid id;
        internal uint idiag_expires;
        internal uint idiag_rqueue;
        internal uint idiag_wqueue;
        internal uint idiag_uid;
        internal uint idiag_inode;
    }
}
