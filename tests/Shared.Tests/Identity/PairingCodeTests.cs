using System.Security.Cryptography;
using System.Text;
using Aggregator.Identity;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Identity;

public sealed class PairingCodeTests
{
    private static readonly Arbitrary<byte[]> Hashes = ArbMap.Default.GeneratorFor<byte>().ArrayOf(32).ToArbitrary();

    [Fact]
    public void Codes_are_well_formed_and_differ()
    {
        var codes = Enumerable.Range(0, 100).Select(_ => PairingCode.Create()).ToList();
        codes.ShouldAllBe(c => PairingCode.IsWellFormed(c));
        codes.Distinct().Count().ShouldBe(100);
    }

    /// <summary>Computed here from the definition in control.proto, so that a change of either is seen.</summary>
    [Fact]
    public void The_proof_is_the_one_that_the_protocol_defines() => Prop.ForAll(Hashes, Hashes, (vps, gateway) =>
    {
        const string code = "abcdefghijklmnopqrstuv";
        byte[] message = [.. "aggregator-pair/1"u8, .. vps, .. gateway];
        var expected = HMACSHA256.HashData(SHA256.HashData(Encoding.ASCII.GetBytes(code)), message);
        return PairingCode.Proof(PairingCode.Hash(code), KeyPin.FromHash(vps), KeyPin.FromHash(gateway)).SequenceEqual(expected);
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void A_proof_is_good_for_one_pair_of_keys_only() => Prop.ForAll(Hashes, Hashes, (vps, gateway) =>
    {
        var hash = PairingCode.Hash(PairingCode.Create());
        var (v, g) = (KeyPin.FromHash(vps), KeyPin.FromHash(gateway));
        return v == g || !PairingCode.Proof(hash, v, g).SequenceEqual(PairingCode.Proof(hash, g, v));
    }).QuickCheckThrowOnFailure();
}
