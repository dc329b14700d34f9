using System.Net;
using Aggregator.DnsWire;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.DnsWire;

public sealed class DnsMessageTests
{
    /// <summary>`dig example.net` with EDNS: one question, an OPT record of 1232 bytes with a cookie.</summary>
    private static readonly byte[] Dig = Convert.FromHexString(
        "1234" + "0120" + "0001000000000001" + "076578616D706C65036E657400" + "00010001" + "00" + "0029" + "04D0" + "00000000" + "000C" + "000A00080102030405060708");

    [Fact]
    public void A_question_of_dig_is_read()
    {
        DnsMessage.TryReadQuestion(Dig, out var question).ShouldBeTrue();
        question.NameText(Dig).ShouldBe("example.net");
        (question.Type, question.Class).ShouldBe((DnsMessage.TypeA, DnsMessage.ClassInternet));
        DnsMessage.UdpBytes(Dig).ShouldBe(1232);
        DnsMessage.LimitUdpBytes(Dig, 700);
        DnsMessage.UdpBytes(Dig).ShouldBe(700);
        DnsMessage.LimitUdpBytes(Dig, 4096);
        DnsMessage.UdpBytes(Dig).ShouldBe(700);
    }

    [Fact]
    public void Addresses_are_written_and_read_again()
    {
        byte[] query = DnsMessage.Query(7, "a.Example.net.", DnsMessage.TypeA)!;
        DnsMessage.TryReadQuestion(query, out var question).ShouldBeTrue();
        byte[] answer = DnsMessage.Addresses(query, question, [IPAddress.Parse("192.0.2.1"), IPAddress.Parse("192.0.2.2")], 5);
        DnsMessage.Answers(query, answer).ShouldBeTrue();
        DnsMessage.ReadAddresses(answer, DnsMessage.TypeA).Select(a => a.ToString()).ShouldBe(["192.0.2.1", "192.0.2.2"]);
        DnsMessage.ReadAddresses(answer, DnsMessage.TypeAaaa).ShouldBeEmpty();
        DnsMessage.ReadAddresses(answer.AsSpan(0, answer.Length - 1), DnsMessage.TypeA).Count.ShouldBe(1);
    }

    [Theory]
    [InlineData(0, 0x35)]
    [InlineData(2, 0x01)]
    [InlineData(2, 0x90)]
    [InlineData(13, 0x66)]
    [InlineData(26, 0x1C)]
    [InlineData(28, 0x03)]
    [InlineData(5, 0x02)]
    public void What_answers_something_else_is_no_answer(int at, byte value)
    {
        byte[] answer = DnsMessage.Error(Dig, DnsCode.None);
        DnsMessage.Answers(Dig, answer).ShouldBeTrue();
        answer[at] = value;
        DnsMessage.Answers(Dig, answer).ShouldBeFalse();
    }

    [Fact]
    public void The_case_of_a_name_does_not_matter_and_a_refusal_without_the_question_is_heard()
    {
        byte[] answer = DnsMessage.Error(Dig, DnsCode.NameError);
        answer[13] ^= 0x20;
        DnsMessage.Answers(Dig, answer).ShouldBeTrue();
        byte[] bare = [.. answer[..12]];
        (bare[3], bare[5]) = ((byte)DnsCode.Refused, 0);
        DnsMessage.Answers(Dig, bare).ShouldBeTrue();
        bare[3] = 0;
        DnsMessage.Answers(Dig, bare).ShouldBeFalse();
    }

    [Fact]
    public void Replies_of_our_own_repeat_the_question_and_have_nothing_else()
    {
        byte[] truncated = DnsMessage.TruncatedReply(Dig);
        DnsMessage.IsTruncated(truncated).ShouldBeTrue();
        truncated.Length.ShouldBe(12 + 13 + 4 + 11);
        DnsMessage.UdpBytes(truncated).ShouldBe(1232);
        DnsMessage.Code(DnsMessage.Error(Dig, DnsCode.ServerFailure)).ShouldBe(DnsCode.ServerFailure);
        byte[] broken = [.. Dig[..12], 200];
        DnsMessage.Error(broken, DnsCode.FormatError).Length.ShouldBe(12);
    }

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("a..b")]
    [InlineData("é.net")]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.net")]
    public void What_is_no_name_is_not_asked(string name) => DnsMessage.Query(1, name, DnsMessage.TypeA).ShouldBeNull();

    [Fact]
    public void Any_bytes_are_taken() => Prop.ForAll(Messages().ToArbitrary(), message =>
    {
        bool read = DnsMessage.TryReadQuestion(message, out var question);
        if (read)
        {
            question.End.ShouldBeLessThanOrEqualTo(message.Length);
            question.NameText(message);
        }

        DnsMessage.UdpBytes(message).ShouldBeGreaterThanOrEqualTo(DnsMessage.ClassicUdpBytes);
        DnsMessage.LimitUdpBytes(message, 600);
        DnsMessage.UdpBytes(message).ShouldBeLessThanOrEqualTo(600);
        DnsMessage.ReadAddresses(message, DnsMessage.TypeA);
        DnsMessage.ReadAddresses(message, DnsMessage.TypeAaaa);
        DnsMessage.Answers(Dig, message);
        DnsMessage.Answers(message, message);
        if (message.Length >= DnsMessage.HeaderBytes)
        {
            byte[] error = DnsMessage.Error(message, DnsCode.ServerFailure);
            error.Length.ShouldBeLessThanOrEqualTo(message.Length);
            DnsMessage.TryReadQuestion(error, out _).ShouldBe(read);
            DnsMessage.IsQuery(error).ShouldBeFalse();
        }
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Any_text_is_a_resolv_conf() => Prop.ForAll<string>(text => ResolvConf.Servers(text ?? "").Count <= 16).QuickCheckThrowOnFailure();

    /// <summary>Rubbish, and real messages with a few bytes changed or cut off.</summary>
    private static Gen<byte[]> Messages() => Gen.OneOf(
        ArbMap.Default.GeneratorFor<byte[]>(),
        from changes in (from at in Gen.Choose(0, Dig.Length - 1) from value in Gen.Choose(0, 255) select (at, (byte)value)).ArrayOf(4)
        from length in Gen.Choose(0, Dig.Length)
        select Changed(changes, length));

    private static byte[] Changed((int At, byte Value)[] changes, int length)
    {
        byte[] message = [.. Dig];
        foreach (var (at, value) in changes)
        {
            message[at] = value;
        }

        return message[..length];
    }
}
