using Aggregator.Processes;
using Aggregator.WireGuard;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.WireGuard;

public sealed class WireGuardKeyTests
{
    /// <summary>RFC 7748 section 6.1, Bob's.</summary>
    [Fact]
    public void The_public_key_is_that_of_the_RFC() =>
        WireGuardKey.TryParseHex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")!.PublicKey().ToHex()
            .ShouldBe("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");

    [SkippableFact]
    public async Task Keys_are_those_of_wireguards_own_tool()
    {
        for (int i = 0; i < 5; i++)
        {
            var key = WireGuardKey.Generate();
            var tool = await Tool.RunAsync("wg", ["pubkey"], key.ToBase64() + "\n");
            Skip.If(tool.ExitCode == 127, "wireguard-tools is not installed");
            tool.OutputOrThrow().Trim().ShouldBe(key.PublicKey().ToBase64());
        }
    }

    [Fact]
    public void A_new_key_is_clamped_and_another_each_time()
    {
        var keys = Enumerable.Range(0, 50).Select(_ => WireGuardKey.Generate()).ToArray();
        foreach (var key in keys)
        {
            (key.Span[0] & 7).ShouldBe(0);
            (key.Span[31] & 0xc0).ShouldBe(0x40);
        }

        keys.Distinct().Count().ShouldBe(keys.Length);
    }

    [Fact]
    public void Text_becomes_a_key_and_the_same_text() => Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), bytes =>
    {
        byte[] whole = [.. bytes.Concat(new byte[WireGuardKey.Bytes]).Take(WireGuardKey.Bytes)];
        var key = WireGuardKey.Of(whole);
        return key.Equals(WireGuardKey.TryParse(key.ToBase64())) && key.Equals(WireGuardKey.TryParseHex(key.ToHex()))
            // Neither in logs by accident.
            && !key.ToString().Contains(key.ToBase64(), StringComparison.Ordinal)
            && (bytes.Length == WireGuardKey.Bytes) == (WireGuardKey.TryParse(Convert.ToBase64String(bytes)) is not null)
            && (bytes.Length == WireGuardKey.Bytes) == (WireGuardKey.TryParseHex(Convert.ToHexString(bytes)) is not null);
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Any_text_is_a_key_or_not() => Prop.ForAll(ArbMap.Default.ArbFor<string?>(), text =>
        WireGuardKey.TryParse(text) is null || text!.Length == 44).QuickCheckThrowOnFailure();
}
