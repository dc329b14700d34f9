using Aggregator.Datagrams;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Datagrams;

public sealed class UdpHeaderTests
{
    [Fact]
    public void A_header_lies_as_the_protocol_says()
    {
        byte[] bytes = new byte[UdpHeader.Bytes];
        new UdpHeader(UdpDatagramType.Report, 3, 0x01020304, 0x05060708090a0b0c).Write(bytes);
        bytes.ShouldBe([2, 3, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        byte[] report = new byte[UdpReport.Bytes];
        new UdpReport(true, true, 1, 2, 4, 3, 5).Write(report);
        report.ShouldBe([0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 3]);
    }

    [Fact]
    public void Any_bytes_are_a_header_or_not_and_what_is_read_writes_the_same() => Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), noise =>
    {
        byte[] bytes = [.. noise.Concat(new byte[40]).Take(noise.Length % 50)];
        if (bytes.Length > 3)
        {
            (bytes[0], bytes[2], bytes[3]) = ((byte)((bytes[0] & 1) + 1), 0, 0);
        }

        bool good = true;
        if (UdpHeader.TryRead(bytes, out var header))
        {
            byte[] again = new byte[UdpHeader.Bytes];
            header.Write(again);
            good &= again.AsSpan().SequenceEqual(bytes.AsSpan(0, UdpHeader.Bytes)) && header.Lane < UdpLanes.MaxLanes && header.Sequence > 0;
        }

        if (UdpReport.TryRead(bytes, out var report))
        {
            good &= bytes.Length >= UdpReport.Bytes && report.Received <= report.Highest;
        }

        return good;
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void What_is_sealed_opens_at_the_other_end_and_nothing_else_does() => Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), ArbMap.Default.ArbFor<int>(), (plain, seed) =>
    {
        byte[] there = [.. Enumerable.Range(0, 32).Select(i => (byte)(i + seed))];
        byte[] back = [.. Enumerable.Range(0, 32).Select(i => (byte)(i ^ 0x55))];
        using var near = new UdpCipher(9, there, back);
        using var far = new UdpCipher(9, back, there);
        byte[] body = [1, .. plain.Take(1000)];
        byte[] datagram = new byte[UdpLanes.MaxDatagramBytes];
        byte[] opened = new byte[UdpLanes.MaxDatagramBytes];
        int length = near.Seal(body, datagram);
        bool good = far.Open(datagram.AsSpan(0, length), opened) == body.Length && opened.AsSpan(0, body.Length).SequenceEqual(body)
            && UdpCipher.SessionOf(datagram.AsSpan(0, length)) == 9
            // Neither our own, nor shorter, nor changed.
            && near.Open(datagram.AsSpan(0, length), opened) < 0 && far.Open(datagram.AsSpan(0, length - 1), opened) < 0;
        datagram[(int)((uint)seed % length)] ^= 0x10;
        return good && far.Open(datagram.AsSpan(0, length), opened) < 0;
    }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData("best", true)]
    [InlineData("spread", true)]
    [InlineData("duplicate", true)]
    [InlineData("off", false)]
    [InlineData("Best", false)]
    public void Policies_are_written_as_they_are_read(string text, bool good) => (RealTimePolicies.TryParse(text)?.Text() == text).ShouldBe(good);
}
