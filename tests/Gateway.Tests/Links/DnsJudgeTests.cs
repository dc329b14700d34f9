using System.Buffers.Binary;
using Aggregator.DnsWire;
using Aggregator.Gateway.Links;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Links;

public sealed class DnsJudgeTests
{
    private static readonly byte[] Question = DnsMessage.Query(0x1234, "example.net", DnsMessage.TypeA)!;

    [Fact]
    public void A_public_address_is_an_answer_and_private_ones_are_a_lie()
    {
        Judge(Answer(0x8180, [9, 9, 9, 9])).ShouldBe(DnsVerdict.Answer);
        Judge(Answer(0x8180, [10, 0, 0, 1])).ShouldBe(DnsVerdict.Lie);
        Judge(Answer(0x8180, [192, 168, 1, 1], [127, 0, 0, 1])).ShouldBe(DnsVerdict.Lie);
        Judge(Answer(0x8180, [192, 168, 1, 1], [93, 184, 215, 14])).ShouldBe(DnsVerdict.Answer);
    }

    [Fact]
    public void Errors_and_empty_answers_are_refusals_and_what_is_not_for_us_is_passed_over()
    {
        Judge(Answer(0x8183)).ShouldBe(DnsVerdict.Refusal);
        Judge(Answer(0x8180)).ShouldBe(DnsVerdict.Refusal);
        Judge(Question).ShouldBe(DnsVerdict.NotOurs, "a question that came back is no answer");
        byte[] other = Answer(0x8180, [9, 9, 9, 9]);
        other[0]++;
        Judge(other).ShouldBe(DnsVerdict.NotOurs);
        other = Answer(0x8180, [9, 9, 9, 9]);
        other[14] ^= 0x01;
        Judge(other).ShouldBe(DnsVerdict.NotOurs);
        Judge(Answer(0x8180, [9, 9, 9, 9])[..(Question.Length + 5)]).ShouldBe(DnsVerdict.Refusal);
    }

    [Fact]
    public void Any_bytes_are_judged() => Prop.ForAll<byte[], byte[]>((tail, head) =>
    {
        Judge(head);
        byte[] packet = [.. Answer(0x8180), .. tail];
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(6), ushort.MaxValue);
        return Judge(packet) is DnsVerdict.Answer or DnsVerdict.Lie or DnsVerdict.Refusal;
    }).QuickCheckThrowOnFailure();

    private static DnsVerdict Judge(byte[] answer) => DnsJudge.Of(Question, answer);

    private static byte[] Answer(ushort flags, params byte[][] addresses)
    {
        var packet = Question.ToList();
        (packet[2], packet[3]) = ((byte)(flags >> 8), (byte)flags);
        packet[7] = (byte)addresses.Length;
        foreach (byte[] address in addresses)
        {
            // The name as a pointer to the question, type A, class IN, a minute to live.
            packet.AddRange([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, .. address]);
        }

        return [.. packet];
    }
}
