using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using static Aggregator.WireGuard.WireGuardNtStructures;

namespace Aggregator.WireGuard;

/// <summary>What WireGuardSetConfiguration takes and WireGuardGetConfiguration gives: an interface, its peers, their allowed addresses, one behind the other.</summary>
internal static unsafe class WireGuardNtConfiguration
{
    internal static byte[] Write(WireGuardChange change)
    {
        int bytes = sizeof(Interface) + change.Peers.Sum(p => sizeof(Peer) + (p.Remove ? 0 : p.AllowedAddresses.Length * sizeof(AllowedIp)));
        byte[] buffer = new byte[bytes];
        var head = new Interface
        {
            Flags = (change.PrivateKey is null ? 0 : InterfaceHasPrivateKey) | (change.ListenPort is null ? 0 : InterfaceHasListenPort)
                | (change.ReplacePeers ? InterfaceReplacePeers : 0),
            ListenPort = change.ListenPort ?? 0,
            PeersCount = (uint)change.Peers.Length,
        };
        change.PrivateKey?.Span.CopyTo(new Span<byte>(head.PrivateKey, WireGuardKey.Bytes));
        MemoryMarshal.Write(buffer, head);
        int at = sizeof(Interface);
        foreach (var peer in change.Peers)
        {
            MemoryMarshal.Write(buffer.AsSpan(at), Of(peer));
            at += sizeof(Peer);
            foreach (var network in peer.Remove ? [] : peer.AllowedAddresses)
            {
                var allowed = new AllowedIp
                {
                    AddressFamily = network.BaseAddress.AddressFamily == AddressFamily.InterNetworkV6 ? AfInet6 : AfInet,
                    Cidr = (byte)network.PrefixLength,
                };
                network.BaseAddress.TryWriteBytes(new Span<byte>(allowed.Address, 16), out _);
                MemoryMarshal.Write(buffer.AsSpan(at), allowed);
                at += sizeof(AllowedIp);
            }
        }

        return buffer;
    }

    /// <summary>Null: lengths and counts do not agree, or a value cannot be one.</summary>
    internal static IReadOnlyList<WireGuardPeerState>? TryReadPeers(ReadOnlySpan<byte> buffer)
    {
        if (!MemoryMarshal.TryRead(buffer, out Interface head))
        {
            return null;
        }

        var rest = buffer[sizeof(Interface)..];
        var peers = new List<WireGuardPeerState>();
        for (uint i = 0; i < head.PeersCount; i++)
        {
            if (!MemoryMarshal.TryRead(rest, out Peer peer) || peer.AllowedIpsCount > (uint)((rest.Length - sizeof(Peer)) / sizeof(AllowedIp))
                || !TryTime(peer.LastHandshake, out var handshake))
            {
                return null;
            }

            rest = rest[(sizeof(Peer) + ((int)peer.AllowedIpsCount * sizeof(AllowedIp)))..];
            peers.Add(new WireGuardPeerState(
                WireGuardKey.Of(new ReadOnlySpan<byte>(peer.PublicKey, WireGuardKey.Bytes)),
                (peer.Flags & PeerHasEndPoint) != 0 ? EndPoint(new ReadOnlySpan<byte>(peer.EndPoint, 28)) : null,
                handshake,
                peer.RxBytes,
                peer.TxBytes));
        }

        return peers;
    }

    private static Peer Of(WireGuardPeer from)
    {
        var peer = new Peer
        {
            Flags = PeerHasPublicKey | (from.Remove ? PeerRemove : PeerReplaceAllowedIps),
            AllowedIpsCount = from.Remove ? 0 : (uint)from.AllowedAddresses.Length,
        };
        from.PublicKey.Span.CopyTo(new Span<byte>(peer.PublicKey, WireGuardKey.Bytes));
        if (from is { Remove: false, KeepAliveS: { } seconds })
        {
            peer.Flags |= PeerHasKeepAlive;
            peer.PersistentKeepalive = seconds;
        }

        if (from is { Remove: false, EndPoint: { } endPoint })
        {
            peer.Flags |= PeerHasEndPoint;
            bool v6 = endPoint.AddressFamily == AddressFamily.InterNetworkV6;
            var sockaddr = new Span<byte>(peer.EndPoint, 28);
            BinaryPrimitives.WriteUInt16LittleEndian(sockaddr, v6 ? AfInet6 : AfInet);
            BinaryPrimitives.WriteUInt16BigEndian(sockaddr[2..], (ushort)endPoint.Port);
            endPoint.Address.TryWriteBytes(sockaddr[(v6 ? 8 : 4)..], out _);
        }

        return peer;
    }

    private static IPEndPoint? EndPoint(ReadOnlySpan<byte> sockaddr)
    {
        int port = BinaryPrimitives.ReadUInt16BigEndian(sockaddr[2..]);
        return BinaryPrimitives.ReadUInt16LittleEndian(sockaddr) switch
        {
            AfInet => new IPEndPoint(new IPAddress(sockaddr.Slice(4, 4)), port),
            AfInet6 => new IPEndPoint(new IPAddress(sockaddr.Slice(8, 16)), port),
            _ => null,
        };
    }

    private static bool TryTime(ulong fileTime, out DateTimeOffset? time)
    {
        // A DateTime ends with the year 9999.
        bool good = fileTime <= (ulong)DateTimeOffset.MaxValue.ToFileTime();
        time = good && fileTime > 0 ? DateTimeOffset.FromFileTime((long)fileTime).ToUniversalTime() : null;
        return good;
    }
}
