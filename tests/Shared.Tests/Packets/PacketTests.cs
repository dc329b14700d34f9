using System.Buffers.Binary;
using System.Net;
using Aggregator.Packets;
using Aggregator.Tun;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Packets;

/// <summary>Packets are taken apart, cut and described without believing anything that they say.</summary>
public sealed class PacketTests
{
    private static readonly IPAddress A4 = IPAddress.Parse("192.168.77.2");
    private static readonly IPAddress B4 = IPAddress.Parse("203.0.113.9");
    private static readonly IPAddress A6 = IPAddress.Parse("fd00:c0a8:77::2");
    private static readonly IPAddress B6 = IPAddress.Parse("2001:db8:50::2");

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Ports_and_places_are_found(bool v6)
    {
        byte[] packet = TestPackets.Udp(v6 ? A6 : A4, v6 ? B6 : B4, 5000, 53, 100);
        PacketInfo.TryRead(packet, out var info).ShouldBeTrue();
        info.SourcePort.ShouldBe((ushort)5000);
        info.DestinationPort.ShouldBe((ushort)53);
        info.TransportAt.ShouldBe(v6 ? 40 : 20);
        info.TransportBytes.ShouldBe(8);
        PacketInfo.Source(packet).ToArray().ShouldBe((v6 ? A6 : A4).GetAddressBytes());
        PacketInfo.Destination(packet).ToArray().ShouldBe((v6 ? B6 : B4).GetAddressBytes());
    }

    [Fact]
    public void Extension_headers_are_passed_and_fragments_known()
    {
        byte[] udp = TestPackets.Udp(A6, B6, 1, 2, 8);
        byte[] inner = udp[40..];

        // Hop-by-hop, destination options, then a first fragment.
        byte[] extensions = [60, 0, 1, 4, 0, 0, 0, 0, 44, 0, 1, 4, 0, 0, 0, 0, 17, 0, 0, 1, 0, 0, 0, 9];
        byte[] packet = TestPackets.Ip(A6, B6, 0, [.. extensions, .. inner]);
        PacketInfo.TryRead(packet, out var info).ShouldBeTrue();
        info.Protocol.ShouldBe(PacketInfo.Udp);
        info.IsFragment.ShouldBeTrue();
        info.TransportAt.ShouldBe(64);
        info.TransportBytes.ShouldBe(0);
        packet[40 + 16 + 3] = 0;
        PacketInfo.TryRead(packet, out info).ShouldBeTrue();
        info.IsFragment.ShouldBeFalse();
        info.DestinationPort.ShouldBe((ushort)2);
    }

    [Theory]
    [InlineData("")]
    [InlineData("45")]
    [InlineData("44000014000000004011000000000000000000000000")]
    [InlineData("4f000014000040004011000001020304050607080000")]
    [InlineData("4500001500004000401100000102030405060708")]
    [InlineData("60000000ffff1140000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("f500001400004000401100000102030405060708")]
    public void Nonsense_is_no_packet(string hex) => PacketInfo.TryRead(Convert.FromHexString(hex), out _).ShouldBeFalse();

    /// <summary>Whatever the bytes are: no exception, and every place lies within them.</summary>
    [Fact]
    public void Any_bytes_are_read_safely() => Prop.ForAll(
        ArbMap.Default.ArbFor<byte[]>(),
        ArbMap.Default.ArbFor<byte>(),
        (bytes, first) =>
        {
            byte[] packet = [.. new byte[] { (byte)((first & 1) == 0 ? 0x45 : 0x60) }, .. bytes, .. bytes, .. bytes];
            if (packet.Length >= 40)
            {
                if ((first & 1) == 0)
                {
                    BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(2), (ushort)packet.Length);
                }
                else
                {
                    BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(4), (ushort)(packet.Length - 40));
                    packet[6] = (byte)((first >> 1) % 3 == 0 ? 0 : (first >> 1) % 3 == 1 ? 44 : 60);
                }
            }

            return !PacketInfo.TryRead(packet, out var info)
                || (info.Length == packet.Length && info.TransportAt + info.TransportBytes <= packet.Length && info.TransportAt >= 20);
        }).QuickCheckThrowOnFailure();

    /// <summary>Any cut of a TCP super-packet: the parts' segments are the whole's, byte for byte and number for number, and every checksum can be completed.</summary>
    [Fact]
    public void A_cut_super_packet_is_the_same_segments() => Prop.ForAll(
        (from segment in Gen.Choose(48, 1460) from payload in Gen.Choose(1, 40_000) from each in Gen.Choose(1, 50) select (segment, payload, each)).ToArbitrary(),
        ArbMap.Default.ArbFor<bool>(),
        (sizes, v6) =>
        {
            var (segment, payload, each) = sizes;
            byte[] bytes = new byte[segment + payload];
            new Random(payload).NextBytes(bytes);
            uint sequence = uint.MaxValue - (uint)(payload / 2);
            const byte FinPshAckCwr = 0x99;
            byte[] packet = TestPackets.Partial(TestPackets.Tcp(v6 ? A6 : A4, v6 ? B6 : B4, sequence, FinPshAckCwr, bytes, options: 12));
            PacketInfo.TryRead(packet, out var info).ShouldBeTrue();
            var meta = new PacketMeta(GsoKind.Tcp, (ushort)segment, true);
            meta.Fits(info).ShouldBeTrue();
            int segments = SuperPacket.Segments(info, meta);
            var rebuilt = new List<byte>();
            byte[] part = new byte[PacketInfo.MaxBytes];
            for (int first = 0; first < segments; first += each)
            {
                var (partMeta, length) = SuperPacket.WritePart(packet, info, meta, first, each, part);
                var view = part.AsSpan(0, length);
                length.ShouldBe(SuperPacket.PartBytes(info, meta, first, each));
                PacketInfo.TryRead(view, out var partInfo).ShouldBeTrue();
                partMeta.Fits(partInfo).ShouldBeTrue();
                int at = partInfo.TransportAt;
                BinaryPrimitives.ReadUInt32BigEndian(view[(at + 4)..]).ShouldBe(sequence + (uint)rebuilt.Count);
                byte flags = view[at + 13];
                ((flags & 0x09) != 0).ShouldBe(first + each >= segments, "FIN and PSH on the last only");
                ((flags & 0x80) != 0).ShouldBe(first == 0, "CWR on the first only");
                Checksum.Complete(view, partInfo);
                TestPackets.IsChecksumRight(view).ShouldBeTrue();
                if (!v6)
                {
                    Checksum.Fold(Checksum.Sum(view[..20])).ShouldBe((ushort)0xffff);
                }

                rebuilt.AddRange(view[(at + partInfo.TransportBytes)..].ToArray());
            }

            rebuilt.ShouldBe(bytes);
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void A_cut_UDP_super_packet_is_the_same_datagrams()
    {
        byte[] packet = TestPackets.Partial(TestPackets.Udp(A4, B4, 7, 8, 5 * 1000 + 10));
        PacketInfo.TryRead(packet, out var info);
        var meta = new PacketMeta(GsoKind.Udp, 1000, true);
        meta.Fits(info).ShouldBeTrue();
        SuperPacket.Segments(info, meta).ShouldBe(6);
        byte[] part = new byte[2000];
        int total = 0;
        for (int i = 0; i < 6; i++)
        {
            var (partMeta, length) = SuperPacket.WritePart(packet, info, meta, i, 1, part);
            var view = part.AsSpan(0, length);
            partMeta.ShouldBe(new PacketMeta(GsoKind.None, 0, true));
            PacketInfo.TryRead(view, out var partInfo).ShouldBeTrue();
            BinaryPrimitives.ReadUInt16BigEndian(view[24..]).ShouldBe((ushort)(length - 20));
            Checksum.Complete(view, partInfo);
            TestPackets.IsChecksumRight(view).ShouldBeTrue();
            total += length - 28;
        }

        total.ShouldBe(5010);
    }

    /// <summary>What a peer may claim of a packet, and what is believed.</summary>
    [Fact]
    public void GSO_headers_that_lie_are_not_believed()
    {
        PacketInfo.TryRead(TestPackets.Tcp(A4, B4, 1, 0x10, new byte[3000]), out var tcp);
        PacketInfo.TryRead(TestPackets.Udp(A4, B4, 1, 2, 3000), out var udp);
        PacketInfo.TryRead(TestPackets.Ip(A4, B4, PacketInfo.Icmp, new byte[3000]), out var icmp);
        new PacketMeta(GsoKind.Tcp, 1460, true).Fits(tcp).ShouldBeTrue();
        new PacketMeta(GsoKind.Udp, 1000, true).Fits(udp).ShouldBeTrue();
        PacketMeta[] lies =
        [
            new(GsoKind.Udp, 1000, true), new(GsoKind.Tcp, 0, true), new(GsoKind.Tcp, 1, true), new(GsoKind.Tcp, 3000, true),
            new(GsoKind.Tcp, 1460, false), new(GsoKind.None, 1460, true), new((GsoKind)3, 1460, true),
        ];
        lies.ShouldAllBe(l => !l.Fits(tcp));
        new PacketMeta(GsoKind.Udp, 10, true).Fits(udp).ShouldBeFalse("300 datagrams of one");
        new PacketMeta(GsoKind.None, 0, true).Fits(icmp).ShouldBeFalse("nothing to complete");
        new PacketMeta(GsoKind.Tcp, 1460, true).Fits(icmp).ShouldBeFalse();
        byte[] fragment = TestPackets.Tcp(A4, B4, 1, 0x10, new byte[3000]);
        fragment[6] = 0x20;
        PacketInfo.TryRead(fragment, out var piece).ShouldBeTrue();
        new PacketMeta(GsoKind.Tcp, 1460, true).Fits(piece).ShouldBeFalse();
        byte[] options = TestPackets.Tcp(A4, B4, 1, 0x10, new byte[3000]);
        options[32] = 0x10;
        PacketInfo.TryRead(options, out var shortHeader).ShouldBeTrue();
        new PacketMeta(GsoKind.Tcp, 1460, true).Fits(shortHeader).ShouldBeFalse("a header of 4 bytes");
        for (int flags = 0; flags < 256; flags++)
        {
            if (PacketMeta.TryFromFlags((byte)flags, 1460, out var meta))
            {
                ((int)meta.ToFlags()).ShouldBe(flags & 7);
            }
        }
    }

    /// <summary>Any header of the kernel's over any packet: no exception, and what is taken over fits.</summary>
    [Fact]
    public void Any_virtio_header_is_read_safely() => Prop.ForAll(
        Gen.ArrayOf(ArbMap.Default.GeneratorFor<byte>(), VirtioNetHeader.Bytes).ToArbitrary(),
        Gen.Choose(0, 3000).ToArbitrary(),
        ArbMap.Default.ArbFor<bool>(),
        (header, payload, tcp) =>
        {
            header[0] &= 1;
            header[1] = (byte)(header[1] % 7);
            byte[] packet = tcp ? TestPackets.Tcp(A4, B4, 1, 0x10, new byte[payload]) : TestPackets.Udp(A6, B6, 1, 2, payload);
            if ((payload & 1) == 0)
            {
                // Mostly the right places, or nothing would ever pass.
                header[6] = (byte)(tcp ? 20 : 40);
                header[7] = header[9] = 0;
                header[8] = (byte)(tcp ? 16 : 6);
                header[5] &= 7;
            }

            PacketInfo.TryRead(packet, out var info).ShouldBeTrue();
            return !VirtioNetHeader.TryRead(header, packet, info, out var meta) || meta.Fits(info);
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void A_virtio_header_says_the_same_on_its_way_back()
    {
        byte[] packet = TestPackets.Partial(TestPackets.Tcp(A6, B6, 1, 0x10, new byte[5000]));
        PacketInfo.TryRead(packet, out var info);
        var meta = new PacketMeta(GsoKind.Tcp, 1440, true);
        byte[] header = new byte[VirtioNetHeader.Bytes];
        VirtioNetHeader.Write(header, info, meta);
        VirtioNetHeader.TryRead(header, packet, info, out var read).ShouldBeTrue();
        read.ShouldBe(meta);
    }

    [Fact]
    public void Another_protocols_open_checksum_is_completed()
    {
        byte[] packet = TestPackets.Ip(A4, B4, 47, new byte[64]);
        packet[30] = 0xab;
        byte[] header = new byte[VirtioNetHeader.Bytes];
        header[0] = 1;
        header[6] = 20;
        header[8] = 4;
        PacketInfo.TryRead(packet, out var info);
        VirtioNetHeader.TryRead(header, packet, info, out var meta).ShouldBeTrue();
        meta.IsPartial.ShouldBeFalse();
        Checksum.Fold(Checksum.Sum(packet.AsSpan(20))).ShouldBe((ushort)0xffff);
    }
}
