using System.Net;
using System.Runtime.InteropServices;
using Aggregator.WireGuard;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.WireGuard;

/// <summary>What can be tested of WireGuardNT without Windows: the layouts of its header, and the bytes that go through it.</summary>
public sealed class WireGuardNtTests
{
    private static readonly WireGuardKey Key = WireGuardKey.Of([.. Enumerable.Range(1, 32).Select(i => (byte)i)]);

    /// <summary>Offsets as a C compiler lays out api/wireguard.h: every structure is aligned to 8, SOCKADDR_INET to 4, DWORD64 to 8.</summary>
    [Theory]
    [InlineData(typeof(WireGuardNtStructures.Interface), 80, "Flags:0 ListenPort:4 PrivateKey:6 PublicKey:38 PeersCount:72")]
    [InlineData(typeof(WireGuardNtStructures.Peer), 136,
        "Flags:0 Reserved:4 PublicKey:8 PresharedKey:40 PersistentKeepalive:72 EndPoint:76 TxBytes:104 RxBytes:112 LastHandshake:120 AllowedIpsCount:128")]
    [InlineData(typeof(WireGuardNtStructures.AllowedIp), 24, "Address:0 AddressFamily:16 Cidr:18 Flags:20")]
    public void Structures_lie_as_in_the_header(Type type, int size, string offsets)
    {
        Marshal.SizeOf(type).ShouldBe(size);
        var fields = type.GetFields(System.Reflection.BindingFlags.Instance | System.Reflection.BindingFlags.NonPublic);
        string.Join(' ', fields.Select(f => $"{f.Name}:{Marshal.OffsetOf(type, f.Name)}")).ShouldBe(offsets);
    }

    [Fact]
    public void A_change_is_an_interface_with_its_peers_behind_it()
    {
        var change = new WireGuardChange(Key, 51820, ReplacePeers: true,
        [
            new WireGuardPeer(Key, [IPNetwork.Parse("10.0.0.2/32"), IPNetwork.Parse("fd00::2/128")]) { EndPoint = IPEndPoint.Parse("203.0.113.9:51820"), KeepAliveS = 25 },
            new WireGuardPeer(Key, [IPNetwork.Parse("10.0.0.3/32")]) { Remove = true },
        ]);
        byte[] bytes = WireGuardNtConfiguration.Write(change);
        bytes.Length.ShouldBe(80 + 136 + (2 * 24) + 136);
        bytes[..6].ShouldBe([0x0e, 0, 0, 0, 0x6c, 0xca]);
        bytes[6..38].ShouldBe(Key.Span.ToArray());
        bytes[72..76].ShouldBe([2, 0, 0, 0]);
        byte[] peer = bytes[80..216];
        // HAS_PUBLIC_KEY, HAS_PERSISTENT_KEEPALIVE, HAS_ENDPOINT, REPLACE_ALLOWED_IPS
        peer[..4].ShouldBe([0x2d, 0, 0, 0]);
        peer[8..40].ShouldBe(Key.Span.ToArray());
        peer[72..74].ShouldBe([25, 0]);
        peer[76..84].ShouldBe([2, 0, 0xca, 0x6c, 203, 0, 113, 9]);
        peer[128..132].ShouldBe([2, 0, 0, 0]);
        bytes[216..240].ShouldBe([10, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0]);
        bytes[240..264].ShouldBe([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 23, 0, 128, 0, 0, 0, 0, 0]);
        bytes[264..268].ShouldBe([0x41, 0, 0, 0]);
        bytes[392..396].ShouldBe([0, 0, 0, 0]);

        // What is given back has the same shape.
        var peers = WireGuardNtConfiguration.TryReadPeers(bytes).ShouldNotBeNull();
        peers.Count.ShouldBe(2);
        peers[0].ShouldBe(new WireGuardPeerState(Key, IPEndPoint.Parse("203.0.113.9:51820"), null, 0, 0));
    }

    [Fact]
    public void Any_answer_is_read_or_not() => Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), ArbMap.Default.ArbFor<int>(), (noise, seed) =>
    {
        byte[] bytes = WireGuardNtConfiguration.Write(new WireGuardChange(Key, 1, true, [new WireGuardPeer(Key, [IPNetwork.Parse("10.0.0.2/32")])]));
        for (int i = 0; i < noise.Length; i++)
        {
            bytes[(int)((uint)((i * 37) ^ seed) % bytes.Length)] = noise[i];
        }

        var peers = WireGuardNtConfiguration.TryReadPeers(bytes.AsSpan(0, (int)((uint)seed % (bytes.Length + 1))));
        return peers is null || peers.Count <= 1;
    }).QuickCheckThrowOnFailure();
}
