using Aggregator.Trunk;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Trunk;

public sealed class LaneEstimateTests
{
    private const double RttUs = 200_000;

    private readonly LaneEstimate _estimate = new();
    private long _nowUs = 1_000_000;

    public LaneEstimateTests() => _estimate.Read(new LaneReading { Rtt = TimeSpan.FromMicroseconds(RttUs), DeliveryRateBytesPerSecond = 1_000_000 }, _nowUs);

    [Fact]
    public void A_lane_that_was_late_and_stands_idle_is_taken_for_quick_again()
    {
        Acknowledge(1_200_000);
        _estimate.DelayUs.ShouldBeGreaterThan(4 * RttUs);

        Rest(4_000_000);

        _estimate.DelayUs.ShouldBeInRange(RttUs, 1.2 * RttUs);
        _estimate.LatenessUs.ShouldBeLessThan(0.1 * RttUs);
    }

    [Fact]
    public void A_short_rest_forgets_little()
    {
        Acknowledge(1_200_000);
        double late = _estimate.DelayUs;

        Rest(50_000);

        _estimate.DelayUs.ShouldBeGreaterThan(0.9 * late);
    }

    [Fact]
    public void What_came_quicker_than_a_round_trip_is_not_made_slower_by_a_rest()
    {
        Acknowledge(120_000);
        double delay = _estimate.DelayUs;

        Rest(10_000_000);

        _estimate.DelayUs.ShouldBe(delay);
    }

    private void Acknowledge(double tookUs)
    {
        for (int i = 0; i < 300; i++)
        {
            _nowUs += 1_000;
            _estimate.Acknowledged(i == 0 ? 100_000 : tookUs, 0, _nowUs);
        }
    }

    private void Rest(long lengthUs)
    {
        for (long passed = 0; passed < lengthUs; passed += 1_000)
        {
            _nowUs += 1_000;
            _estimate.Rest(_nowUs);
        }
    }
}
