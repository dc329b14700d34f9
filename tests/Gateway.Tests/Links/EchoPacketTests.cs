using System.Net.Sockets;
using Aggregator.Gateway.Links;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Links;

public sealed class EchoPacketTests
{
    [Fact]
    public void Known_bytes()
    {
        byte[] packet = new byte[EchoPacket.Bytes];
        EchoPacket.Write(packet, AddressFamily.InterNetwork, 0x0102, 0x1122334455667788);

        Convert.ToHexString(packet[..2]).ShouldBe("0800");
        Convert.ToHexString(packet[4..]).ShouldBe("7788" + "0102" + "1122334455667788");
        // RFC 1071: a packet with a right checksum sums to all ones.
        EchoPacket.Checksum(packet).ShouldBe((ushort)0);
    }

    [Theory]
    [InlineData(AddressFamily.InterNetwork, true, 0)]
    [InlineData(AddressFamily.InterNetwork, false, 0)]
    [InlineData(AddressFamily.InterNetworkV6, false, 129)]
    public void The_answer_to_a_request_is_read(AddressFamily family, bool header, byte type)
    {
        byte[] packet = new byte[EchoPacket.Bytes];
        EchoPacket.Write(packet, family, 7, 99);
        EchoPacket.TryReadReply(Framed(packet, header), family, header, 99, out _).ShouldBeFalse("a request is no answer");

        packet[0] = type;
        EchoPacket.TryReadReply(Framed(packet, header), family, header, 99, out ushort sequence).ShouldBeTrue();
        sequence.ShouldBe((ushort)7);
        EchoPacket.TryReadReply(Framed(packet, header), family, header, 98, out _).ShouldBeFalse("another's answer");
    }

    [Fact]
    public void Any_bytes_are_read_or_refused() => Prop.ForAll(
        Gen.ArrayOf(Gen.Choose(0, 255).Select(i => (byte)i)).ToArbitrary(),
        Gen.Elements(true, false).ToArbitrary(),
        (bytes, header) =>
        {
            EchoPacket.TryReadReply(bytes, AddressFamily.InterNetwork, header, 1, out _).ShouldBeFalse();
            EchoPacket.TryReadReply(bytes, AddressFamily.InterNetworkV6, header, 1, out _).ShouldBeFalse();
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Any_valid_answer_cut_short_is_refused() => Prop.ForAll(Gen.Choose(0, EchoPacket.Bytes - 1).ToArbitrary(), length =>
    {
        byte[] packet = new byte[EchoPacket.Bytes];
        EchoPacket.Write(packet, AddressFamily.InterNetwork, 7, 99);
        packet[0] = 0;
        EchoPacket.TryReadReply(packet.AsSpan(0, length), AddressFamily.InterNetwork, false, 99, out _).ShouldBeFalse();
    }).QuickCheckThrowOnFailure();

    private static byte[] Framed(byte[] packet, bool header)
    {
        if (!header)
        {
            return packet;
        }

        byte[] framed = new byte[24 + packet.Length];
        framed[0] = 0x46; // with one word of options
        packet.CopyTo(framed, 24);
        return framed;
    }
}
