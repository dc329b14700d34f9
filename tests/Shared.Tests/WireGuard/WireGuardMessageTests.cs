using System.Net;
using System.Text.RegularExpressions;
using Aggregator.Interop;
using Aggregator.Netlink;
using Aggregator.WireGuard;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.WireGuard;

/// <summary>The kernel's backend: these machines have no module, so its messages are compared byte for byte with linux/wireguard.h.</summary>
public sealed partial class WireGuardMessageTests
{
    private const ushort Family = 0x1c;
    private static readonly WireGuardKey Private = WireGuardKey.Of([.. Enumerable.Repeat((byte)0xaa, 32)]);
    private static readonly WireGuardKey Public = WireGuardKey.Of([.. Enumerable.Repeat((byte)0xbb, 32)]);

    [Fact]
    public void The_device_is_set_as_the_header_says()
    {
        var change = new WireGuardChange(Private, 0x1234, ReplacePeers: true, []);
        Bytes((ref NetlinkWriter w) => WireGuardMessage.WriteSet(ref w, Family, "aggc1", change, null, isFirst: true)).ShouldBe(Hex(
            // nlmsghdr: length 84, type, flags, sequence, port; genlmsghdr: WG_CMD_SET_DEVICE, version 1
            "54000000 1c00 0000 00000000 00000000  01 01 0000"
            // WGDEVICE_A_IFNAME (2), 6 bytes of text with its NUL, padded
            + "0a00 0200 6167676331 00 0000"
            // WGDEVICE_A_PRIVATE_KEY (3)
            + "2400 0300" + Repeat("aa", 32)
            // WGDEVICE_A_LISTEN_PORT (6), in host order, padded
            + "0600 0600 3412 0000"
            // WGDEVICE_A_FLAGS (5): WGDEVICE_F_REPLACE_PEERS
            + "0800 0500 01000000"));
    }

    [Fact]
    public void A_peer_is_set_as_the_header_says()
    {
        var peer = new WireGuardPeer(Public, [IPNetwork.Parse("10.1.2.0/24"), IPNetwork.Parse("fd00::2/128")])
        {
            EndPoint = IPEndPoint.Parse("203.0.113.9:51820"),
            KeepAliveS = 25,
        };
        var change = new WireGuardChange(Private, 1, true, [peer]);
        Bytes((ref NetlinkWriter w) => WireGuardMessage.WriteSet(ref w, Family, "wg0", change, peer, isFirst: false)).ShouldBe(Hex(
            "b4000000 1c00 0000 00000000 00000000  01 01 0000"
            + "0800 0200 77673000"
            // WGDEVICE_A_PEERS (8) with NLA_F_NESTED, then item 0
            + "9800 0880  9400 0080"
            // WGPEER_A_PUBLIC_KEY (1)
            + "2400 0100" + Repeat("bb", 32)
            // WGPEER_A_FLAGS (3): WGPEER_F_REPLACE_ALLOWEDIPS
            + "0800 0300 02000000"
            // WGPEER_A_ENDPOINT (4): struct sockaddr_in, port and address in network order
            + "1400 0400 0200 ca6c cb007109 0000000000000000"
            // WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL (5)
            + "0600 0500 1900 0000"
            // WGPEER_A_ALLOWEDIPS (9)
            + "4800 0980"
            // item: WGALLOWEDIP_A_FAMILY (1) AF_INET, WGALLOWEDIP_A_IPADDR (2), WGALLOWEDIP_A_CIDR_MASK (3)
            + "1c00 0080  0600 0100 0200 0000  0800 0200 0a010200  0500 0300 18 000000"
            // AF_INET6
            + "2800 0080  0600 0100 0a00 0000  1400 0200 fd000000000000000000000000000002  0500 0300 80 000000"));
    }

    [Fact]
    public void A_peer_is_removed_and_asked_for_as_the_header_says()
    {
        var peer = new WireGuardPeer(Public, [IPNetwork.Parse("10.1.2.0/24")]) { Remove = true };
        var change = new WireGuardChange(null, null, false, [peer]);
        Bytes((ref NetlinkWriter w) => WireGuardMessage.WriteSet(ref w, Family, "wg0", change, peer, isFirst: false)).ShouldBe(Hex(
            "50000000 1c00 0000 00000000 00000000  01 01 0000  0800 0200 77673000  3400 0880  3000 0080"
            + "2400 0100" + Repeat("bb", 32)
            // WGPEER_F_REMOVE_ME
            + "0800 0300 01000000"));
        Bytes((ref NetlinkWriter w) => WireGuardMessage.WriteGet(ref w, Family, "wg0")).ShouldBe(Hex(
            "1c000000 1c00 0000 00000000 00000000  00 01 0000  0800 0200 77673000"));
    }

    /// <summary>The header of this machine's own kernel package, where it is installed.</summary>
    [SkippableFact]
    public void Numbers_are_those_of_the_header()
    {
        const string Path = "/usr/include/linux/wireguard.h";
        Skip.IfNot(File.Exists(Path), "linux-libc-dev is not installed");
        var numbers = new Dictionary<string, int>();
        foreach (Match list in Enumeration().Matches(Comment().Replace(File.ReadAllText(Path), "")))
        {
            int next = 0;
            foreach (string name in list.Groups[1].Value.Split(',').Select(n => n.Trim()).Where(n => n.Length > 0))
            {
                string[] parts = name.Split('=');
                if (parts.Length == 1)
                {
                    numbers[name] = next++;
                }
                else if (parts[1].Trim().StartsWith("1U <<", StringComparison.Ordinal))
                {
                    numbers[parts[0].Trim()] = 1 << int.Parse(parts[1].Trim()["1U << ".Length..], System.Globalization.CultureInfo.InvariantCulture);
                }
            }
        }

        var ours = typeof(Libc).GetFields(System.Reflection.BindingFlags.Static | System.Reflection.BindingFlags.NonPublic)
            .Where(f => f.IsLiteral && OurName().IsMatch(f.Name)).ToArray();
        ours.Length.ShouldBeGreaterThan(20);
        foreach (var field in ours)
        {
            numbers.ShouldContainKey(field.Name);
            Convert.ToInt32(field.GetRawConstantValue(), System.Globalization.CultureInfo.InvariantCulture).ShouldBe(numbers[field.Name], field.Name);
        }
    }

    [Fact]
    public void An_answer_is_read()
    {
        byte[] bytes = Hex(
            "c8000000 1c00 0000 00000000 00000000  00 01 0000"
            + "0600 0600 6cca 0000"
            + "a800 0880"
            + "a400 0080"
            + "2400 0100" + Repeat("bb", 32)
            + "2000 0400 0a00 ca6c 00000000 20010db8000000000000000000000001 00000000"
            // struct __kernel_timespec
            + "1400 0600 00f1536500000000 0500000000000000"
            + "0c00 0700 2200000000000000"
            + "0c00 0800 0c00000000000000"
            + "2000 0980 1c00 0080 0600 0100 0200 0000 0800 0200 0a010200 0500 0300 18 000000"
            + "0800 0a00 01000000");
        BitConverter.TryWriteBytes(bytes, bytes.Length);
        BitConverter.TryWriteBytes(bytes.AsSpan(28), (ushort)(bytes.Length - 28));
        BitConverter.TryWriteBytes(bytes.AsSpan(32), (ushort)(bytes.Length - 32));
        var peers = new List<WireGuardPeerState>();
        new NetlinkReader(bytes).TryNext(out var message).ShouldBeTrue();
        WireGuardMessage.TryReadPeers(in message, peers).ShouldBeTrue();
        peers.ShouldHaveSingleItem().ShouldBe(new WireGuardPeerState(
            Public, IPEndPoint.Parse("[2001:db8::1]:51820"), DateTimeOffset.FromUnixTimeSeconds(0x6553f100), 0x22, 0x0c));
    }

    [Fact]
    public void Any_answer_is_read_or_not() => Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), ArbMap.Default.ArbFor<byte>(), (noise, seed) =>
    {
        var peer = new WireGuardPeer(Public, [IPNetwork.Parse("10.1.2.0/24")]) { EndPoint = IPEndPoint.Parse("203.0.113.9:51820"), KeepAliveS = 25 };
        byte[] bytes = Bytes((ref NetlinkWriter w) => WireGuardMessage.WriteSet(ref w, Family, "wg0", new WireGuardChange(null, null, false, [peer]), peer, false));
        for (int i = 0; i < noise.Length; i++)
        {
            // Behind the message's own length, so that the attributes are what is spoiled.
            bytes[4 + (((i * 31) + seed + noise[i]) % (bytes.Length - 4))] ^= noise[i];
        }

        var peers = new List<WireGuardPeerState>();
        return !new NetlinkReader(bytes).TryNext(out var message) || !WireGuardMessage.TryReadPeers(in message, peers) || peers.Count <= 2;
    }).QuickCheckThrowOnFailure();

    private delegate void Writing(ref NetlinkWriter writer);

    private static byte[] Bytes(Writing write)
    {
        byte[] buffer = new byte[4096];
        var writer = new NetlinkWriter(buffer);
        write(ref writer);
        return buffer[..writer.Complete()];
    }

    private static byte[] Hex(string text) => Convert.FromHexString(text.Replace(" ", "", StringComparison.Ordinal));

    private static string Repeat(string text, int count) => string.Concat(Enumerable.Repeat(text, count));

    [GeneratedRegex(@"enum\s+\w+\s*\{([^}]*)\}")]
    private static partial Regex Enumeration();

    [GeneratedRegex(@"/\*.*?\*/", RegexOptions.Singleline)]
    private static partial Regex Comment();

    [GeneratedRegex("^WG(_CMD|DEVICE_[AF]|PEER_[AF]|ALLOWEDIP_A)_")]
    private static partial Regex OurName();
}
