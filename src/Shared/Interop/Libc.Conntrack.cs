using System.Runtime.InteropServices;

#pragma warning disable CS8981 // lower-case type names: they are the kernel's

namespace Aggregator.Interop;

/// <summary>linux/netfilter/nfnetlink.h and nfnetlink_conntrack.h.</summary>
internal static unsafe partial class Libc
{
    internal const ushort NFNL_SUBSYS_CTNETLINK = 1;
    internal const ushort IPCTNL_MSG_CT_DELETE = 2;

    internal const ushort CTA_MARK = 8;
    internal const ushort CTA_MARK_MASK = 21;

    [StructLayout(LayoutKind.Sequential)]
    internal struct nfgenmsg
    {
        internal byte nfgen_family;
        internal byte version;
        internal ushort res_id;
    }
}
