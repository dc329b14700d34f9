using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Aggregator.Interop;

/// <summary>linux/if_tun.h and the calls with which a TUN or TAP descriptor is used.</summary>
internal static unsafe partial class Libc
{
    internal const int IFNAMSIZ = 16;

    internal const short IFF_TUN = 0x0001;
    internal const short IFF_TAP = 0x0002;
    internal const short IFF_NAPI = 0x0010;
    internal const short IFF_NO_PI = 0x1000;
    internal const short IFF_VNET_HDR = 0x4000;

    /// <summary>EBUSY where the interface exists already, also when nobody uses it.</summary>
    internal const short IFF_TUN_EXCL = unchecked((short)0x8000);

    /// <summary>_IOW('T', 202, int)</summary>
    internal const nuint TUNSETIFF = 0x400454ca;

    /// <summary>_IOW('T', 208, unsigned int); TUN_F_* flags.</summary>
    internal const nuint TUNSETOFFLOAD = 0x400454d0;

    /// <summary>_IOW('T', 216, int)</summary>
    internal const nuint TUNSETVNETHDRSZ = 0x400454d8;

    /// <summary>_IOW('T', 226, int)</summary>
    internal const nuint TUNSETCARRIER = 0x400454e2;

    internal const uint TUN_F_CSUM = 0x01;
    internal const uint TUN_F_TSO4 = 0x02;
    internal const uint TUN_F_TSO6 = 0x04;
    internal const uint TUN_F_TSO_ECN = 0x08;
    internal const uint TUN_F_USO4 = 0x20;
    internal const uint TUN_F_USO6 = 0x40;

    /// <summary>struct virtio_net_hdr of linux/virtio_net.h: its flags and kinds.</summary>
    internal const int VIRTIO_NET_HDR_SIZE = 10;
    internal const byte VIRTIO_NET_HDR_F_NEEDS_CSUM = 1;
    internal const byte VIRTIO_NET_HDR_GSO_NONE = 0;
    internal const byte VIRTIO_NET_HDR_GSO_TCPV4 = 1;
    internal const byte VIRTIO_NET_HDR_GSO_TCPV6 = 4;
    internal const byte VIRTIO_NET_HDR_GSO_UDP_L4 = 5;
    internal const byte VIRTIO_NET_HDR_GSO_ECN = 0x80;

    /// <summary>struct iovec of sys/uio.h.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct @iovec
    {
        internal byte* iov_base;
        internal nuint iov_len;
    }

    [LibraryImport(Library, SetLastError = true)]
    internal static partial nint writev(SafeFileHandle fd, iovec* parts, int count);

    /// <summary>The part of struct ifreq (40 bytes) that TUNSETIFF reads and writes.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 40)]
    internal struct ifreq_flags
    {
        internal fixed byte ifr_name[IFNAMSIZ];
        internal short ifr_flags;
    }

    [LibraryImport(Library, EntryPoint = "ioctl", SetLastError = true)]
    internal static partial int ioctl(SafeFileHandle fd, nuint request, ifreq_flags* argument);

    [LibraryImport(Library, EntryPoint = "ioctl", SetLastError = true)]
    internal static partial int ioctl(SafeFileHandle fd, nuint request, int* argument);

    /// <summary>The variant for requests that take a number in place of a pointer (TUNSETOFFLOAD).</summary>
    [LibraryImport(Library, EntryPoint = "ioctl", SetLastError = true)]
    internal static partial int ioctl(SafeFileHandle fd, nuint request, nuint argument);
}
