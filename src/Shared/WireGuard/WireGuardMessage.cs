using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Aggregator.Interop;
using Aggregator.Netlink;

namespace Aggregator.WireGuard;

/// <summary>The messages of linux/wireguard.h. Numbers are in host order, ports and addresses of a sockaddr in network order.</summary>
internal static class WireGuardMessage
{
    /// <summary>sizeof(struct sockaddr_in), sizeof(struct sockaddr_in6) of linux/in.h and linux/in6.h.</summary>
    private const int SockaddrInBytes = 16;
    private const int SockaddrIn6Bytes = 28;
    private const ushort AfInet = 2;
    private const ushort AfInet6 = 10;

    /// <summary>WG_CMD_SET_DEVICE with at most one peer: a list of any length goes one by one, as the header advises where it does not fit a message.</summary>
    /// <param name="isFirst">The message that has the device's own attributes.</param>
    internal static void WriteSet(ref NetlinkWriter writer, ushort family, string device, WireGuardChange change, WireGuardPeer? peer, bool isFirst)
    {
        GenericNetlinkFamily.Begin(ref writer, family, Libc.WG_CMD_SET_DEVICE, Libc.WG_GENL_VERSION);
        writer.Attribute(Libc.WGDEVICE_A_IFNAME, device);
        if (isFirst)
        {
            if (change.PrivateKey is { } key)
            {
                writer.Attribute(Libc.WGDEVICE_A_PRIVATE_KEY, key.Span);
            }

            if (change.ListenPort is { } port)
            {
                writer.Attribute(Libc.WGDEVICE_A_LISTEN_PORT, port);
            }

            if (change.ReplacePeers)
            {
                writer.Attribute(Libc.WGDEVICE_A_FLAGS, Libc.WGDEVICE_F_REPLACE_PEERS);
            }
        }

        if (peer is not null)
        {
            int list = writer.BeginNested(Libc.WGDEVICE_A_PEERS);
            WritePeer(ref writer, peer);
            writer.EndNested(list);
        }
    }

    internal static void WriteGet(ref NetlinkWriter writer, ushort family, string device)
    {
        GenericNetlinkFamily.Begin(ref writer, family, Libc.WG_CMD_GET_DEVICE, Libc.WG_GENL_VERSION);
        writer.Attribute(Libc.WGDEVICE_A_IFNAME, device);
    }

    /// <summary>Takes the peers of one message of a dump; a peer whose allowed addresses fill a message comes again in the next.</summary>
    internal static bool TryReadPeers(scoped in NetlinkMessage message, List<WireGuardPeerState> peers)
    {
        if (!message.TryRead(out Libc.genlmsghdr _, out NetlinkAttributes attributes))
        {
            return false;
        }

        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            if (attribute.Type == Libc.WGDEVICE_A_PEERS)
            {
                NetlinkAttributes list = attribute.Nested;
                while (list.TryNext(out NetlinkAttribute item))
                {
                    if (!TryReadPeer(item.Nested, out var peer))
                    {
                        return false;
                    }

                    if (!peers.Exists(p => p.PublicKey.Equals(peer!.PublicKey)))
                    {
                        peers.Add(peer!);
                    }
                }

                if (list.Malformed)
                {
                    return false;
                }
            }
        }

        return !attributes.Malformed;
    }

    private static void WritePeer(ref NetlinkWriter writer, WireGuardPeer peer)
    {
        // Items of a list have the number 0.
        int item = writer.BeginNested(0);
        writer.Attribute(Libc.WGPEER_A_PUBLIC_KEY, peer.PublicKey.Span);
        if (peer.Remove)
        {
            writer.Attribute(Libc.WGPEER_A_FLAGS, Libc.WGPEER_F_REMOVE_ME);
            writer.EndNested(item);
            return;
        }

        writer.Attribute(Libc.WGPEER_A_FLAGS, Libc.WGPEER_F_REPLACE_ALLOWEDIPS);
        if (peer.EndPoint is { } endPoint)
        {
            Span<byte> sockaddr = stackalloc byte[SockaddrIn6Bytes];
            writer.Attribute(Libc.WGPEER_A_ENDPOINT, sockaddr[..WriteSockaddr(sockaddr, endPoint)]);
        }

        if (peer.KeepAliveS is { } seconds)
        {
            writer.Attribute(Libc.WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, seconds);
        }

        int list = writer.BeginNested(Libc.WGPEER_A_ALLOWEDIPS);
        foreach (var network in peer.AllowedAddresses)
        {
            int allowed = writer.BeginNested(0);
            writer.Attribute(Libc.WGALLOWEDIP_A_FAMILY, network.BaseAddress.AddressFamily == AddressFamily.InterNetworkV6 ? AfInet6 : AfInet);
            writer.Attribute(Libc.WGALLOWEDIP_A_IPADDR, network.BaseAddress);
            writer.Attribute(Libc.WGALLOWEDIP_A_CIDR_MASK, (byte)network.PrefixLength);
            writer.EndNested(allowed);
        }

        writer.EndNested(list);
        writer.EndNested(item);
    }

    private static bool TryReadPeer(NetlinkAttributes attributes, out WireGuardPeerState? peer)
    {
        WireGuardKey? key = null;
        IPEndPoint? endPoint = null;
        DateTimeOffset? handshake = null;
        ulong rx = 0;
        ulong tx = 0;
        bool good = true;
        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            switch (attribute.Type)
            {
                case Libc.WGPEER_A_PUBLIC_KEY:
                    good &= attribute.Value.Length == Libc.WG_KEY_LEN;
                    key = good ? WireGuardKey.Of(attribute.Value) : null;
                    break;
                case Libc.WGPEER_A_ENDPOINT:
                    good &= TryReadSockaddr(attribute.Value, out endPoint);
                    break;
                case Libc.WGPEER_A_LAST_HANDSHAKE_TIME:
                    // struct __kernel_timespec: two numbers of 64 bits.
                    good &= attribute.Value.Length >= 16 && attribute.TryRead(out long seconds) && TryTime(seconds, out handshake);
                    break;
                case Libc.WGPEER_A_RX_BYTES:
                    good &= attribute.TryRead(out rx);
                    break;
                case Libc.WGPEER_A_TX_BYTES:
                    good &= attribute.TryRead(out tx);
                    break;
            }
        }

        peer = key is not null ? new WireGuardPeerState(key, endPoint, handshake, rx, tx) : null;
        return good && peer is not null && !attributes.Malformed;
    }

    private static bool TryTime(long seconds, out DateTimeOffset? time)
    {
        bool good = seconds >= 0 && seconds <= DateTimeOffset.MaxValue.ToUnixTimeSeconds();
        time = good && seconds > 0 ? DateTimeOffset.FromUnixTimeSeconds(seconds) : null;
        return good;
    }

    private static int WriteSockaddr(Span<byte> sockaddr, IPEndPoint endPoint)
    {
        sockaddr.Clear();
        bool v6 = endPoint.AddressFamily == AddressFamily.InterNetworkV6;
        MemoryMarshal.Write(sockaddr, v6 ? AfInet6 : AfInet);
        BinaryPrimitives.WriteUInt16BigEndian(sockaddr[2..], (ushort)endPoint.Port);
        endPoint.Address.TryWriteBytes(sockaddr[(v6 ? 8 : 4)..], out _);
        if (v6)
        {
            MemoryMarshal.Write(sockaddr[24..], (uint)endPoint.Address.ScopeId);
        }

        return v6 ? SockaddrIn6Bytes : SockaddrInBytes;
    }

    private static bool TryReadSockaddr(ReadOnlySpan<byte> sockaddr, out IPEndPoint? endPoint)
    {
        endPoint = null;
        if (!MemoryMarshal.TryRead(sockaddr, out ushort family))
        {
            return false;
        }

        if (family == AfInet && sockaddr.Length >= SockaddrInBytes)
        {
            endPoint = new IPEndPoint(new IPAddress(sockaddr.Slice(4, 4)), BinaryPrimitives.ReadUInt16BigEndian(sockaddr[2..]));
        }
        else if (family == AfInet6 && sockaddr.Length >= SockaddrIn6Bytes)
        {
            endPoint = new IPEndPoint(
                new IPAddress(sockaddr.Slice(8, 16), MemoryMarshal.Read<uint>(sockaddr[24..])), BinaryPrimitives.ReadUInt16BigEndian(sockaddr[2..]));
        }

        return endPoint is not null;
    }
}
