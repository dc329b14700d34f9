using System.Runtime.InteropServices;

#pragma warning disable CS8981 // lower-case type names: they are the kernel's

namespace Aggregator.Interop;

/// <summary>linux/genetlink.h.</summary>
internal static unsafe partial class Libc
{
    internal const ushort GENL_ID_CTRL = 16;
    internal const byte CTRL_CMD_GETFAMILY = 3;
    internal const ushort CTRL_ATTR_FAMILY_ID = 1;
    internal const ushort CTRL_ATTR_FAMILY_NAME = 2;
    internal const ushort CTRL_ATTR_MCAST_GROUPS = 7;
    internal const ushort CTRL_ATTR_MCAST_GRP_NAME = 1;
    internal const ushort CTRL_ATTR_MCAST_GRP_ID = 2;

    [StructLayout(LayoutKind.Sequential)]
    internal struct genlmsghdr
    {
        internal byte cmd;
        internal byte version;
        internal ushort reserved;
    }
}
