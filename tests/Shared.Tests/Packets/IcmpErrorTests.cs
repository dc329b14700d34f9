using System.Net;
using Aggregator.Packets;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Packets;

public sealed class IcmpErrorTests
{
    private static readonly IPAddress A4 = IPAddress.Parse("192.168.77.2");
    private static readonly IPAddress B4 = IPAddress.Parse("10.0.0.9");
    private static readonly IPAddress A6 = IPAddress.Parse("fd00:c0a8:77::2");
    private static readonly IPAddress B6 = IPAddress.Parse("fd99::1");

    [Theory]
    [InlineData(false, 10)]
    [InlineData(false, 5000)]
    [InlineData(true, 10)]
    [InlineData(true, 5000)]
    public void A_refusal_quotes_the_packet_and_is_a_packet_itself(bool v6, int payload)
    {
        byte[] packet = TestPackets.Udp(v6 ? A6 : A4, v6 ? B6 : B4, 5000, 53, payload);
        PacketInfo.TryRead(packet, out var info).ShouldBeTrue();
        byte[] error = new byte[IcmpError.MaxBytes];
        int length = IcmpError.Write(packet, info, error);
        error = error[..length];
        PacketInfo.TryRead(error, out var read).ShouldBeTrue();
        int header = v6 ? 40 : 20;
        read.Protocol.ShouldBe(v6 ? PacketInfo.IcmpV6 : PacketInfo.Icmp);
        PacketInfo.Source(error).SequenceEqual(PacketInfo.Destination(packet)).ShouldBeTrue();
        PacketInfo.Destination(error).SequenceEqual(PacketInfo.Source(packet)).ShouldBeTrue();
        (error[header], error[header + 1]).ShouldBe(v6 ? ((byte)1, (byte)1) : ((byte)3, (byte)13));
        ulong start = v6 ? Checksum.PseudoHeader(error, PacketInfo.IcmpV6, length - header) : 0;
        Checksum.Fold(Checksum.Sum(error.AsSpan(header), start)).ShouldBe((ushort)0xffff);
        length.ShouldBe(Math.Min(v6 ? 1280 : 576, header + 8 + packet.Length));
        error.AsSpan(header + 8).SequenceEqual(packet.AsSpan(0, length - header - 8)).ShouldBeTrue();

        // An error is not answered with another.
        IcmpError.Write(error, read, new byte[IcmpError.MaxBytes]).ShouldBe(0);
    }

    [Fact]
    public void Groups_and_later_fragments_are_not_answered()
    {
        byte[] error = new byte[IcmpError.MaxBytes];
        byte[] group = TestPackets.Udp(A4, IPAddress.Parse("224.0.0.251"), 1, 2, 10);
        PacketInfo.TryRead(group, out var info);
        IcmpError.Write(group, info, error).ShouldBe(0);
        byte[] group6 = TestPackets.Udp(A6, IPAddress.Parse("ff02::fb"), 1, 2, 10);
        PacketInfo.TryRead(group6, out info);
        IcmpError.Write(group6, info, error).ShouldBe(0);
        byte[] later = TestPackets.Udp(A4, B4, 1, 2, 10);
        later[7] = 9;
        PacketInfo.TryRead(later, out info);
        IcmpError.Write(later, info, error).ShouldBe(0);
    }

    [Fact]
    public void Any_packet_is_answered_with_a_packet_or_not_at_all() => Prop.ForAll<byte[], byte, bool>((bytes, protocol, v6) =>
    {
        byte[] packet = TestPackets.Ip(v6 ? A6 : A4, v6 ? B6 : B4, protocol, bytes);
        if (!PacketInfo.TryRead(packet, out var info))
        {
            return true;
        }

        byte[] error = new byte[IcmpError.MaxBytes];
        int length = IcmpError.Write(packet, info, error);
        return length == 0 || PacketInfo.TryRead(error.AsSpan(0, length), out _);
    }).QuickCheckThrowOnFailure();
}
