using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Links;
using Aggregator.Gateway.Roles;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Roles;

public sealed class QuotaTests
{
    [Theory]
    [InlineData(1, "2026-02-28", "2026-02-01", "2026-03-01")]
    [InlineData(12, "2026-03-11", "2026-02-12", "2026-03-12")]
    [InlineData(12, "2026-03-12", "2026-03-12", "2026-04-12")]
    [InlineData(31, "2026-02-27", "2026-01-31", "2026-02-28")]
    [InlineData(31, "2026-02-28", "2026-02-28", "2026-03-31")]
    [InlineData(31, "2028-02-29", "2028-02-29", "2028-03-31")]
    [InlineData(5, "2026-01-02", "2025-12-05", "2026-01-05")]
    public void A_month_begins_on_the_billing_day(int day, string today, string since, string until)
    {
        var quota = new Quota(1, BillingDay: day);
        var began = QuotaPeriods.Since(quota, Day(today));
        began.ShouldBe(Day(since));
        QuotaPeriods.Until(quota, began).ShouldBe(Day(until));
    }

    [Fact]
    public void Every_day_is_in_exactly_one_period() => Prop.ForAll(Gen.Choose(1, 31).ToArbitrary(), Gen.Choose(0, 3000).ToArbitrary(), (day, offset) =>
    {
        var quota = new Quota(1, BillingDay: day);
        var today = new DateOnly(2024, 1, 1).AddDays(offset);
        var since = QuotaPeriods.Since(quota, today);
        since.ShouldBeLessThanOrEqualTo(today);
        QuotaPeriods.Until(quota, since).ShouldBeGreaterThan(today);
        QuotaPeriods.Since(quota, QuotaPeriods.Until(quota, since)).ShouldBe(QuotaPeriods.Until(quota, since));
    }).QuickCheckThrowOnFailure();

    /// <summary>Whatever restarts of the daemon and of the host, and interfaces that come anew, fall in between.</summary>
    [Fact]
    public void Nothing_is_lost_and_nothing_counted_twice() => Prop.ForAll(
        Gen.ArrayOf(Gen.Choose(0, 1000)).ToArbitrary(),
        steps =>
        {
            var since = new DateOnly(2026, 1, 1);
            ulong counter = 5000, moved = 0;
            int index = 3;
            string host = "a";
            var usage = Usage.Begin(since, new InterfaceCounters(counter, 0), index, host);
            foreach (int step in steps)
            {
                if (step % 10 == 0)
                {
                    (counter, index) = (0, index + 1);
                }
                else if (step % 11 == 0)
                {
                    (counter, host) = (0, host + "b");
                }

                counter += (ulong)step;
                moved += (ulong)step;
                usage = usage.Add(new InterfaceCounters(counter, 0), index, host);
            }

            usage.DownBytes.ShouldBe(moved);
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void The_link_is_taken_out_so_early_that_what_is_under_way_still_fits()
    {
        var quota = new Quota(50_000_000);
        QuotaGauge.IsExceeded(quota, 49_000_000, 0, 20).ShouldBeFalse();
        QuotaGauge.IsExceeded(quota, 50_000_000, 0, null).ShouldBeTrue();
        // 100 Mbit/s over 40 ms: a megabyte is on its way.
        QuotaGauge.IsExceeded(quota, 49_400_000, 12.5e6, 40).ShouldBeFalse();
        QuotaGauge.IsExceeded(quota, 49_600_000, 12.5e6, 40).ShouldBeTrue();
        QuotaGauge.NextLook(quota, 0, 0).ShouldBe(QuotaGauge.Longest);
        QuotaGauge.NextLook(quota, 49_900_000, 125e6).ShouldBe(QuotaGauge.Shortest);
        QuotaGauge.Mark(quota, 39_999_999).ShouldBe(0);
        QuotaGauge.Mark(quota, 40_000_000).ShouldBe(80);
        QuotaGauge.Mark(quota, 47_500_000).ShouldBe(95);
    }

    private static DateOnly Day(string text) => DateOnly.Parse(text, System.Globalization.CultureInfo.InvariantCulture);
}
