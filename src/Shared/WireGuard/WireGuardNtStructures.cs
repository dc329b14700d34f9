using System.Runtime.InteropServices;

namespace Aggregator.WireGuard;

/// <summary>The structures of WireGuardNT's api/wireguard.h, version 0.10; all are aligned to 8 bytes. A test compares offsets and sizes with the header's.</summary>
internal static unsafe class WireGuardNtStructures
{
    internal const uint InterfaceHasPrivateKey = 1 << 1;
    internal const uint InterfaceHasListenPort = 1 << 2;
    internal const uint InterfaceReplacePeers = 1 << 3;

    internal const uint PeerHasPublicKey = 1 << 0;
    internal const uint PeerHasKeepAlive = 1 << 2;
    internal const uint PeerHasEndPoint = 1 << 3;
    internal const uint PeerReplaceAllowedIps = 1 << 5;
    internal const uint PeerRemove = 1 << 6;

    /// <summary>ws2def.h: IPv6 has another number than on Linux.</summary>
    internal const ushort AfInet = 2;
    internal const ushort AfInet6 = 23;

    /// <summary>WIREGUARD_INTERFACE; its peers follow, each with its allowed addresses behind it.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 80)]
    internal struct Interface
    {
        [FieldOffset(0)]
        internal uint Flags;

        [FieldOffset(4)]
        internal ushort ListenPort;

        [FieldOffset(6)]
        internal fixed byte PrivateKey[32];

        [FieldOffset(38)]
        internal fixed byte PublicKey[32];

        [FieldOffset(72)]
        internal uint PeersCount;
    }

    /// <summary>WIREGUARD_PEER.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 136)]
    internal struct Peer
    {
        [FieldOffset(0)]
        internal uint Flags;

        [FieldOffset(4)]
        internal uint Reserved;

        [FieldOffset(8)]
        internal fixed byte PublicKey[32];

        [FieldOffset(40)]
        internal fixed byte PresharedKey[32];

        [FieldOffset(72)]
        internal ushort PersistentKeepalive;

        /// <summary>SOCKADDR_INET of ws2ipdef.h, aligned to 4 bytes.</summary>
        [FieldOffset(76)]
        internal fixed byte EndPoint[28];

        [FieldOffset(104)]
        internal ulong TxBytes;

        [FieldOffset(112)]
        internal ulong RxBytes;

        /// <summary>In steps of 100 ns since 1601 (FILETIME).</summary>
        [FieldOffset(120)]
        internal ulong LastHandshake;

        [FieldOffset(128)]
        internal uint AllowedIpsCount;
    }

    /// <summary>WIREGUARD_ALLOWED_IP.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 24)]
    internal struct AllowedIp
    {
        [FieldOffset(0)]
        internal fixed byte Address[16];

        [FieldOffset(16)]
        internal ushort AddressFamily;

        [FieldOffset(18)]
        internal byte Cidr;

        [FieldOffset(20)]
        internal uint Flags;
    }
}
