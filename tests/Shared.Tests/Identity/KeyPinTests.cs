using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Aggregator.Identity;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Identity;

public sealed class KeyPinTests
{
    private static readonly Arbitrary<byte[]> Hashes = ArbMap.Default.GeneratorFor<byte>().ArrayOf(KeyPin.SizeBytes).ToArbitrary();

    [Fact]
    public void Text_and_bytes_round_trip() => Prop.ForAll(Hashes, hash =>
    {
        var pin = KeyPin.FromHash(hash);
        return pin.ToArray().SequenceEqual(hash) && KeyPin.TryParse(pin.ToString(), out var again) && again == pin;
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void One_flipped_bit_is_another_pin() => Prop.ForAll(Hashes, ArbMap.Default.ArbFor<int>(), (hash, n) =>
    {
        var pin = KeyPin.FromHash(hash);
        int bit = Math.Abs(n % 256);
        hash[bit / 8] ^= (byte)(1 << (bit % 8));
        return KeyPin.FromHash(hash) != pin;
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Any_text_is_refused_or_is_the_one_spelling_of_its_pin() => Prop.ForAll(ArbMap.Default.ArbFor<string>(), text =>
        !KeyPin.TryParse(text, out var pin) || pin.ToString() == text).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData("")]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")] // 42
    [InlineData("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")] // padded
    [InlineData("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB")] // unused bits set
    [InlineData(" AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA+")] // the other alphabet
    public void Other_spellings_are_refused(string text) => KeyPin.TryParse(text, out _).ShouldBeFalse();

    [Fact]
    public void It_is_the_hash_of_the_keys_SubjectPublicKeyInfo()
    {
        using var key = IdentityKey.CreateEphemeral();
        using var own = key.Certificate.GetECDsaPrivateKey()!;

        key.Pin.ToArray().ShouldBe(SHA256.HashData(own.ExportSubjectPublicKeyInfo()));
    }
}
