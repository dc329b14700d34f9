using Aggregator.Trunk;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Trunk;

/// <summary>A line of 25 MB/s and 20 ms, with whatever stands in its queue.</summary>
public sealed class LaneWindowTests
{
    private const double Rate = 25e6;
    private const double LeastMs = 20;
    private const long PathBytes = (long)(Rate * LeastMs / 1000);

    private readonly LaneWindow _window = new();
    private long _nowUs = 1_000_000;

    [Fact]
    public void Without_a_queue_there_is_no_limit()
    {
        Run(100, LeastMs, PathBytes);

        _window.Bytes(_nowUs).ShouldBe(double.PositiveInfinity);
    }

    [Fact]
    public void A_queue_that_stands_is_taken_away_down_to_what_the_path_holds()
    {
        Run(10, LeastMs, PathBytes);

        // Two and a half round trips' worth, as BBR leaves it; what is on the way follows what we allow, and the round trip follows that.
        double there = 2.5 * PathBytes;
        for (int i = 0; i < 60; i++)
        {
            Read(there * 1000 / Rate, (long)there);
            there = Math.Min(there, _window.Bytes(_nowUs));
        }

        there.ShouldBeInRange(PathBytes, 1.5 * PathBytes);
    }

    [Fact]
    public void A_queue_of_others_is_left_to_congestion_control()
    {
        Run(10, LeastMs, PathBytes);

        // Whatever we take away, round trips stay long.
        bool limited = false;
        bool released = false;
        for (int i = 0; i < 200; i++)
        {
            Read(80, (long)Math.Min(2.0 * PathBytes, _window.Bytes(_nowUs)));
            limited |= !double.IsPositiveInfinity(_window.Bytes(_nowUs));
            released |= limited && double.IsPositiveInfinity(_window.Bytes(_nowUs));
        }

        limited.ShouldBeTrue();
        released.ShouldBeTrue();
    }

    [Fact]
    public void A_path_that_varies_by_itself_is_not_taken_for_a_queue()
    {
        for (int i = 0; i < 200; i++)
        {
            Read(i % 2 == 0 ? LeastMs : LeastMs + 12, PathBytes, variationMs: 6);
        }

        _window.Bytes(_nowUs).ShouldBe(double.PositiveInfinity);
    }

    [Fact]
    public void After_a_rest_a_known_path_is_filled_at_its_rate_and_not_at_once()
    {
        Run(50, LeastMs, PathBytes);
        _nowUs += 5_000_000;
        Read(LeastMs, 0);

        double atOnce = _window.Bytes(_nowUs);
        double later = _window.Bytes(_nowUs + 10_000);
        double full = _window.Bytes(_nowUs + 1_000_000);

        atOnce.ShouldBeLessThan(PathBytes / 4.0);
        later.ShouldBeInRange(0.01 * Rate, 0.02 * Rate);
        full.ShouldBeInRange(PathBytes, 1.5 * PathBytes);
    }

    [Fact]
    public void A_lane_with_nothing_on_its_way_is_not_left_without_a_window()
    {
        // A start-up that rises while its queue grows is held back to what is on the way: which may be nothing at the moment of the look.
        double rate = Rate / 100;
        Read(LeastMs, 10_000, rate: rate);
        for (int i = 0; i < 12; i++)
        {
            rate *= 1.2;
            Read(LeastMs * 2, 0, rate: rate);
            _window.Bytes(_nowUs).ShouldBeGreaterThan(60_000);
        }

        double.IsPositiveInfinity(_window.Bytes(_nowUs)).ShouldBeFalse("the start-up was not held back: this test shows nothing");
    }

    [Fact]
    public void Neighbours_are_not_limited()
    {
        for (int i = 0; i < 50; i++)
        {
            Read(i < 10 ? 0.2 : 8, PathBytes, leastMs: 0.2);
        }

        _window.Bytes(_nowUs).ShouldBe(double.PositiveInfinity);
    }

    private void Run(int times, double rttMs, long there)
    {
        for (int i = 0; i < times; i++)
        {
            Read(rttMs, there);
        }
    }

    private void Read(double rttMs, long there, double variationMs = 0.3, double leastMs = LeastMs, double rate = Rate)
    {
        _nowUs += (long)(rttMs * 1000) + 1;
        var reading = new LaneReading
        {
            PipeBytes = there,
            InFlightBytes = there,
            Rtt = TimeSpan.FromMilliseconds(rttMs),
            MinRtt = TimeSpan.FromMilliseconds(leastMs),
            RttVariation = TimeSpan.FromMilliseconds(variationMs),
            PacingRateBytesPerSecond = (long)Rate,
            DeliveryRateBytesPerSecond = (long)Rate,
            CongestionWindowBytes = 2 * PathBytes,
        };
        _window.Read(reading, rate, isFull: true, _nowUs);
    }
}
