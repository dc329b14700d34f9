using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Grpc.Core;
using Grpc.Wire;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Rpc;

/// <summary>Properties of the small codecs: timeout, percent-encoding, metadata.</summary>
public sealed class CodecTests
{
    private static Gen<string> Texts { get; } = ArbMap.Default.GeneratorFor<string?>().Select(text => text ?? "");

    [Fact]
    public void A_timeout_survives_rounded_up()
    {
        Gen<TimeSpan> spans =
            from digits in Gen.Choose(0, 18)
            from mantissa in Gen.Choose(0, int.MaxValue)
            select TimeSpan.FromTicks((long)(mantissa / (double)int.MaxValue * Math.Pow(10, digits)));
        Prop.ForAll(spans.ToArbitrary(), span =>
        {
            string text = GrpcTimeout.Encode(span);
            text.Length.ShouldBeInRange(2, 9);
            GrpcTimeout.TryDecode(text, out TimeSpan back).ShouldBeTrue();
            back.ShouldBeGreaterThanOrEqualTo(span);

            // Where a unit has no room any more, the next one has five digits or more.
            (back - span).ShouldBeLessThanOrEqualTo(TimeSpan.FromTicks(Math.Max(1, span.Ticks / 100_000)));
        }).QuickCheckThrowOnFailure();
    }

    [Theory]
    [InlineData(0, "0n")]
    [InlineData(-5, "0n")]
    [InlineData(1, "100n")]
    [InlineData(10_000_000, "1000000u")]
    [InlineData(36_000_000_000, "3600000m")]
    [InlineData(long.MaxValue, "99999999H")]
    public void Timeouts_that_are_known(long ticks, string text) =>
        GrpcTimeout.Encode(TimeSpan.FromTicks(ticks)).ShouldBe(text);

    [Fact]
    public void Whatever_is_no_timeout_is_refused_without_an_exception()
    {
        Gen<string> near = Gen.ArrayOf(Gen.Elements([.. "0123456789HMSmun -+.x"])).Select(chars => new string(chars));
        Prop.ForAll(Gen.OneOf(Texts, near).ToArbitrary(), text =>
        {
            bool expected = System.Text.RegularExpressions.Regex.IsMatch(text, @"\A[0-9]{1,8}[HMSmun]\z");
            GrpcTimeout.TryDecode(text, out _).ShouldBe(expected);
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Percent_encoding_survives_and_is_printable_ascii()
    {
        Prop.ForAll(Texts.ToArbitrary(), text =>
        {
            string encoded = PercentEncoding.Encode(text);
            encoded.ShouldAllBe(c => c >= 0x20 && c <= 0x7E);
            encoded.ShouldBe(encoded.Trim());

            // A lone surrogate is no text: it arrives as U+FFFD.
            PercentEncoding.Decode(encoded).ShouldBe(Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)));
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Percent_decoding_takes_anything()
    {
        Gen<string> near = Gen.ArrayOf(Gen.Elements([.. "%%%0123456789abcdefABCDEFxz "])).Select(chars => new string(chars));
        Prop.ForAll(Gen.OneOf(Texts, near).ToArbitrary(), text =>
        {
            string decoded = PercentEncoding.Decode(text);
            decoded.Length.ShouldBeLessThanOrEqualTo(text.Length);
            if (!text.Contains('%', StringComparison.Ordinal))
            {
                decoded.ShouldBe(text);
            }
        }).QuickCheckThrowOnFailure();
        PercentEncoding.Decode("100%").ShouldBe("100%");
        PercentEncoding.Decode("%C3%BC%4").ShouldBe("ü%4");
        PercentEncoding.Decode("%C3%28").ShouldBe("\uFFFD(");
    }

    [Fact]
    public void Binary_metadata_survives_with_and_without_padding()
    {
        Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), bytes =>
        {
            string encoded = MetadataCodec.Encode(new Metadata.Entry("k-bin", bytes));
            encoded.ShouldNotContain("=");
            MetadataCodec.TryDecodeBase64(encoded, out byte[] bare).ShouldBeTrue();
            bare.ShouldBe(bytes);
            MetadataCodec.TryDecodeBase64(Convert.ToBase64String(bytes), out byte[] padded).ShouldBeTrue();
            padded.ShouldBe(bytes);
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Joined_binary_values_come_apart()
    {
        Prop.ForAll(ArbMap.Default.GeneratorFor<byte[]>().NonEmptyListOf().ToArbitrary(), values =>
        {
            var metadata = new Metadata();
            string joined = string.Join(", ", values.Select(value => MetadataCodec.Encode(new Metadata.Entry("k-bin", value))));
            MetadataCodec.TryAdd(metadata, "K-Bin", joined).ShouldBeTrue();
            metadata.Select(entry => Convert.ToHexString(entry.ValueBytes)).ShouldBe(values.Select(Convert.ToHexString));
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Any_header_is_taken_left_out_or_refused()
    {
        Gen<(string Key, string Value)> headers =
            from key in Gen.OneOf(Texts, Gen.Elements("x", "x-bin", "grpc-status", ":path", "grpc-status-details-bin", "UPPER"))
            from value in Gen.OneOf(Texts, Gen.ArrayOf(Gen.Elements([.. "AB+/=, -_"])).Select(chars => new string(chars)))
            select (key, value);
        Prop.ForAll(headers.ToArbitrary(), header =>
        {
            var metadata = new Metadata();
            bool taken = MetadataCodec.TryAdd(metadata, header.Key, header.Value);
            if (!taken)
            {
                header.Key.ToLowerInvariant().ShouldEndWith("-bin");
                metadata.ShouldAllBe(entry => entry.IsBinary);
            }
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Base64_of_any_text_gives_bytes_or_no()
    {
        Gen<string> near = Gen.ArrayOf(Gen.Elements([.. "ABab01+/==- "])).Select(chars => new string(chars));
        Prop.ForAll(Gen.OneOf(Texts, near).ToArbitrary(), text =>
        {
            if (MetadataCodec.TryDecodeBase64(text, out byte[] bytes))
            {
                bytes.Length.ShouldBeLessThanOrEqualTo((text.Length * 3 / 4) + 1);
            }
            else
            {
                bytes.ShouldBeEmpty();
            }
        }).QuickCheckThrowOnFailure();
    }

    [Theory]
    [InlineData("gzip", true)]
    [InlineData("identity, deflate,GZIP", true)]
    [InlineData("gzipped,identity", false)]
    [InlineData("", false)]
    [InlineData(null, false)]
    public void Accepted_encodings(string? accepted, bool gzip) => GrpcProtocol.AcceptsGZip(accepted).ShouldBe(gzip);

    [Fact]
    public void Text_metadata_must_be_printable()
    {
        MetadataCodec.Encode(new Metadata.Entry("k", " ~")).ShouldBe(" ~");
        foreach (string bad in new[] { "\n", "\0", "\u007F", "é" })
        {
            Should.Throw<InvalidOperationException>(() => MetadataCodec.Encode(new Metadata.Entry("k", bad)));
        }

        Should.Throw<ArgumentException>(() => new Metadata.Entry("with space", "v"));
        Should.Throw<ArgumentException>(() => new Metadata.Entry("k-bin", "v"));
        Should.Throw<ArgumentException>(() => new Metadata.Entry("k", [1]));
        Should.Throw<InvalidOperationException>(() => Metadata.Empty.Add("k", "v"));
    }
}
