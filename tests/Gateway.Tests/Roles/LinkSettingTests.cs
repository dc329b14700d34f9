using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Roles;
using Aggregator.Netlink;
using Aggregator.Settings;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Roles;

public sealed class LinkSettingTests
{
    [Fact]
    public void No_text_breaks_a_setting() => Prop.ForAll<string?>(text =>
    {
        foreach (string key in LinkSetting.Keys.Append("nonsense"))
        {
            var applied = LinkSetting.Apply(new LinkLimits { Quota = new Quota(1) }, key, text ?? "");
            (applied.Problem is null).ShouldBe(applied.Value is not null);
        }
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Amounts_are_read_back_as_they_are_written() => Prop.ForAll(Gen.Choose(8, int.MaxValue).ToArbitrary(), number =>
    {
        Quantities.Bytes(Quantities.BytesText(number)).Value.ShouldBe(number);
        long rate = number * 1000L;
        Quantities.BitsPerSecond(Quantities.RateText(rate)).Value.ShouldBe(rate);
    }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData("50GB", 50_000_000_000)]
    [InlineData("1.5 MB", 1_500_000L)]
    [InlineData("512MiB", 536_870_912L)]
    [InlineData("50", null)]
    [InlineData("-5GB", null)]
    [InlineData("0MB", null)]
    [InlineData("1.2.3MB", null)]
    [InlineData("1e5MB", null)]
    [InlineData("999999999999TB", null)]
    public void Amounts_have_a_number_and_a_unit(string text, long? bytes)
    {
        var parsed = Quantities.Bytes(text);
        (parsed.Problem is null).ShouldBe(bytes is not null);
        parsed.Value.ShouldBe(bytes ?? 0);
    }

    [Fact]
    public void What_link_changed_outlives_a_restart_and_reset_takes_it_back()
    {
        string state = Directory.CreateTempSubdirectory("aggregator-limits-").FullName;
        try
        {
            var config = new GatewayConfig { State = state, Wans = [new WanConfig("w", "lte", LinkRole.Active, null) { Limits = new LinkLimits { Weight = 3 } }] };
            var book = new LimitsBook(config, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);
            book.Set("lte", false, [new("quota-then", "backup"), new("quota", "5GB")]).ShouldBeNull();
            book.Set("lte", false, [new("weight", "nonsense"), new("cost", "4")]).ShouldNotBeNull();
            var again = new LimitsBook(config, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance).Of("lte");
            again.ShouldBe(new LinkLimits { Weight = 3, Quota = new Quota(5_000_000_000, Then: LinkRole.Backup) });
            book.Set("lte", true, []).ShouldBeNull();
            book.Of("lte").ShouldBe(new LinkLimits { Weight = 3 });
            new LimitsBook(config, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance).Of("lte").ShouldBe(new LinkLimits { Weight = 3 });
            File.WriteAllText(Path.Combine(state, "limits.json"), "{ broken");
            new LimitsBook(config, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance).Of("lte").Weight.ShouldBe(3);
        }
        finally
        {
            Directory.Delete(state, recursive: true);
        }
    }

    [Fact]
    public void A_weak_radio_is_said_and_takes_a_while_to_be_well()
    {
        WifiJudgement.Of(new WifiStation(-60, 100, 100), false).ShouldBeNull();
        WifiJudgement.Of(new WifiStation(-82, 100, 100), false).ShouldNotBeNull().ShouldContain("-80 dBm");
        WifiJudgement.Of(new WifiStation(-76, 100, 100), false).ShouldBeNull();
        WifiJudgement.Of(new WifiStation(-76, 100, 100), true).ShouldNotBeNull();
        WifiJudgement.Of(new WifiStation(null, null, 1), false).ShouldNotBeNull();
        WifiJudgement.Of(new WifiStation(null, null, null), false).ShouldBeNull();
    }

    [Fact]
    public void Wifi_answers_are_read_and_damaged_ones_do_no_harm()
    {
        // nla_len, nla_type: signal -71, rx 866.7 Mbit/s (32 bits beside 16), tx 54 Mbit/s.
        byte[] info = [5, 0, 7, 0, 0xb9, 0, 0, 0, 20, 0, 14, 0, 6, 0, 1, 0, 0xdb, 0x21, 0, 0, 8, 0, 5, 0, 0xdb, 0x21, 0, 0, 12, 0, 8, 0, 6, 0, 1, 0, 0x1c, 0x02, 0, 0];
        WifiStation.Parse(info).ShouldBe(new WifiStation(-71, 866.7, 54));
        Prop.ForAll<byte[]>(bytes => WifiStation.Parse(bytes ?? [])).QuickCheckThrowOnFailure();
    }
}
