using System.Runtime.InteropServices;

#pragma warning disable CS8981 // lower-case type names: they are the kernel's

namespace Aggregator.Interop;

/// <summary>linux/pkt_sched.h and the tcmsg of linux/rtnetlink.h.</summary>
internal static unsafe partial class Libc
{
    internal const ushort TCA_KIND = 1;
    internal const ushort TCA_OPTIONS = 2;

    internal const ushort TCA_TBF_PARMS = 1;
    internal const ushort TCA_TBF_RATE64 = 4;

    internal const ushort TCA_HTB_PARMS = 1;
    internal const ushort TCA_HTB_CEIL64 = 7;

    internal const ushort TCA_CAKE_BASE_RATE64 = 2;

    internal const ushort TCA_NETEM_RATE = 6;
    internal const ushort TCA_NETEM_RATE64 = 8;

    [StructLayout(LayoutKind.Sequential)]
    internal struct tcmsg
    {
        internal byte tcm_family;
        internal byte tcm_pad1;
        internal ushort tcm_pad2;
        internal int tcm_ifindex;
        internal uint tcm_handle;
        internal uint tcm_parent;
        internal uint tcm_info;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct tc_ratespec
    {
        internal byte cell_log;
        internal byte linklayer;
        internal ushort overhead;
        internal short cell_align;
        internal ushort mpu;

        /// <summary>Bytes a second; all ones where the rate is in a 64-bit attribute.</summary>
        internal uint rate;
    }

    /// <summary>The head of struct tc_tbf_qopt.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct tc_tbf_qopt
    {
        internal tc_ratespec rate;
        internal tc_ratespec peakrate;
    }

    /// <summary>The head of struct tc_htb_opt.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct tc_htb_opt
    {
        internal tc_ratespec rate;
        internal tc_ratespec ceil;
    }
}
