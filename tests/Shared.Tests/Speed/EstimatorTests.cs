using Aggregator.Speed;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Speed;

/// <summary>Rates, steady parts, bursts and round trips out of series whose truth is known.</summary>
public sealed class EstimatorTests
{
    /// <summary>Mbit/s as a function of time, read each 50 ms.</summary>
    private static RateSeries Series(double seconds, Func<double, double> mbps)
    {
        var series = new RateSeries();
        double bytes = 0;
        for (double t = 0; t <= seconds + 1e-9; t += 0.05)
        {
            series.Add(100 + t, bytes);
            bytes += mbps(t + 0.025) * 1e6 / 8 * 0.05;
        }

        return series;
    }

    [Theory]
    [InlineData(0.0)]
    [InlineData(0.5)]
    [InlineData(1.2)]
    public void The_ramp_is_left_out(double rampS)
    {
        var series = Series(4, t => 200 * Math.Min(1, (t + 0.01) / Math.Max(0.01, rampS)));
        var rate = SteadyState.Of(series)!.Value;
        rate.Mbps.ShouldBe(200, 1);
        rate.IsSteady.ShouldBeTrue();
        rate.FromS.ShouldBeInRange(100 + rampS - 0.11, 100 + rampS + 0.21);
    }

    [Fact]
    public void Bursts_of_wake_ups_do_not_matter_and_a_wandering_rate_is_not_steady()
    {
        SteadyState.Of(Series(4, t => (int)(t / 0.05) % 2 == 0 ? 100 : 0))!.Value.Mbps.ShouldBe(50, 0.6);
        SteadyState.Of(Series(4, t => 50 + (10 * t)))!.Value.IsSteady.ShouldBeFalse();
        SteadyState.Of(Series(0.2, _ => 50)).ShouldBeNull();
        SteadyState.Of(Series(4, _ => 0)).ShouldBeNull();
        SteadyState.Of(new RateSeries()).ShouldBeNull();
    }

    [Fact]
    public void Of_a_long_way_the_best_round_trips_count()
    {
        // As a satellite's: doubled each 0.6 s, the queue overflowed, and most of the time after it went into repair.
        var series = Series(5, t => t < 2.4 ? 1.5 * Math.Pow(2, t / 0.6) : t < 3.6 ? 24 : 5);
        SteadyState.Of(series)!.Value.Mbps.ShouldBeLessThan(20);
        var best = SteadyState.BestOf(series, fromS: 101.5, windowS: 1)!.Value;
        best.Mbps.ShouldBe(24, 0.5);
        best.ToS.ShouldBeInRange(103.35, 103.65);
        SteadyState.BestOf(series, fromS: 104.5, windowS: 1).ShouldBeNull();
        SteadyState.BestOf(new RateSeries(), fromS: 0, windowS: 1).ShouldBeNull();
    }

    [Fact]
    public void A_rate_that_falls_after_a_burst_is_found_with_its_size()
    {
        var burst = Shaping.Find(Series(5, t => t < 0.3 ? 60 : t < 1.8 ? 100 : 20))!.Value;
        burst.Mbps.ShouldBe(100, 6);
        burst.AfterMbps.ShouldBe(20, 1);
        burst.Seconds.ShouldBe(1.8, 0.15);
        burst.Bytes.ShouldBe(((60 * 0.3) + (100 * 1.5)) * 1e6 / 8, 2e6);
    }

    [Fact]
    public void What_is_no_shaping_is_not_called_so()
    {
        Shaping.Find(Series(5, t => Math.Min(100, 100 * t))).ShouldBeNull();
        Shaping.Find(Series(5, t => 100 - (t > 2 ? 10 : 0))).ShouldBeNull();
        // A dip that comes back, and a line that swings.
        Shaping.Find(Series(5, t => t is > 2 and < 3 ? 20 : 100)).ShouldBeNull();
        Shaping.Find(Series(5, t => (int)t % 2 == 0 ? 100 : 40)).ShouldBeNull();
        Shaping.Find(new RateSeries()).ShouldBeNull();
    }

    [Fact]
    public void The_peak_is_where_probes_stood_and_not_a_single_one()
    {
        double[] values = [10, 10, 11, 60, 110, 109, 110, 110, 300, 110, 80, 60, 50];
        RoundTrips.Peak(values)!.Value.ShouldBe(110);
        RoundTrips.Peak([1, 2, 3]).ShouldBeNull();
        RoundTrips.Median([3, 1, 2]).ShouldBe(2);
        RoundTrips.Median([4, 1, 2, 3]).ShouldBe(2.5);
        RoundTrips.Median([]).ShouldBeNull();
        RoundTrips.Jitter([10, 12, 11]).ShouldBe(1.5);
        RoundTrips.Jitter([10]).ShouldBeNull();
    }

    [Fact]
    public void A_count_that_stands_still_and_jumps_has_the_rate_between_its_jumps()
    {
        // 10 Mbit/s, of which nothing is seen for 0.7 s at a time: over any 3 s the plain difference is wrong by up to a quarter.
        var series = new RateSeries();
        for (int i = 0; i <= 100; i++)
        {
            double time = i * 0.05;
            series.Add(time, Math.Floor((time + 1e-9) / 0.7) * 0.7 * 1.25e6);
        }

        series.Mbps(1.45, 4.85)!.Value.ShouldNotBeInRange(9.5, 10.5);
        series.CaughtUpMbps(1.45, 4.85)!.Value.ShouldBeInRange(9.5, 10.5);
        series.CaughtUpMbps(4, 4).ShouldBeNull();
        new RateSeries().CaughtUpMbps(0, 1).ShouldBe(0.0);
    }

    [Fact]
    public void Readings_out_of_order_and_counts_that_fall_do_no_harm() =>
        Prop.ForAll(ArbMap.Default.ArbFor<(NormalFloat Time, NormalFloat Bytes)[]>(), points =>
        {
            var series = new RateSeries();
            foreach (var (time, bytes) in points)
            {
                series.Add(time.Item % 100, Math.Abs(bytes.Item % 1e9));
            }

            series.Points.Zip(series.Points.Skip(1)).All(p => p.First.TimeS < p.Second.TimeS && p.First.Bytes <= p.Second.Bytes).ShouldBeTrue();
            if (SteadyState.Of(series) is { } rate)
            {
                rate.Mbps.ShouldBeGreaterThan(0);
                double.IsFinite(rate.Mbps).ShouldBeTrue();
            }

            _ = Shaping.Find(series);
        }).QuickCheckThrowOnFailure();
}
