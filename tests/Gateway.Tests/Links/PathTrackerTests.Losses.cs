using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Links;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Links;

/// <summary>What counts as a line's loss, and what does not.</summary>
public sealed partial class PathTrackerTests
{
    [Fact]
    public void Thirty_percent_of_loss_each_way_on_an_idle_line_is_no_outage()
    {
        int downs = 0, degraded = 0;
        for (int seed = 0; seed < 100; seed++)
        {
            var tracker = new PathTracker(ProbeConfig.Default);
            var random = new Random(seed);
            for (int i = 0; i < 30; i++)
            {
                tracker.Answered(TimeSpan.FromMilliseconds(20));
            }

            for (int i = 0; i < 100 && !tracker.IsDown; i++)
            {
                if (random.NextDouble() < 0.7 * 0.7)
                {
                    tracker.Answered(TimeSpan.FromMilliseconds(20));
                }
                else
                {
                    tracker.Missed(trafficArrives: false, "no answer");
                }
            }

            downs += tracker.IsDown ? 1 : 0;
            degraded += tracker.Health.State == LinkState.Degraded ? 1 : 0;
        }

        downs.ShouldBeLessThanOrEqualTo(5);
        degraded.ShouldBe(100 - downs);
    }

    [Fact]
    public void Steady_losses_degrade_it_and_an_outage_does_not_count_against_what_came_back()
    {
        Up();
        for (int i = 0; i < 30; i++)
        {
            Miss();
            Answer(20);
            Answer(20);
            Answer(20);
            Answer(20);
        }

        _tracker.Health.State.ShouldBe(LinkState.Degraded);
        _tracker.Health.LossRatio!.Value.ShouldBe(0.2, 0.02);

        for (int i = 0; i < 200; i++)
        {
            Miss();
        }

        Up();
        _tracker.Health.State.ShouldBe(LinkState.Up);
        _tracker.Health.LossRatio.ShouldBe(0);
    }

    [Fact]
    public void A_miss_makes_it_count_and_a_third_of_the_latest_dozen_is_enough_whatever_was_before()
    {
        for (int i = 0; i < 64; i++)
        {
            Answer(20);
        }

        _tracker.Interval.ShouldBe(TimeSpan.FromSeconds(1));
        Miss();
        Answer(20);
        _tracker.Interval.TotalMilliseconds.ShouldBeLessThanOrEqualTo(125);
        _tracker.Loses();
        _tracker.Interval.TotalMilliseconds.ShouldBeLessThanOrEqualTo(63);
        for (int i = 0; i < 3; i++)
        {
            _tracker.Health.State.ShouldBe(LinkState.Up);
            Miss();
            Answer(20);
        }

        _tracker.Health.State.ShouldBe(LinkState.Degraded);
        _tracker.Health.Reason.ShouldBe("loses more than 10 % of the probes");

        // Thirty-two in a row: it does not any more.
        for (int i = 0; i < 31; i++)
        {
            _tracker.Interval.TotalMilliseconds.ShouldBeLessThanOrEqualTo(125);
            _tracker.Health.State.ShouldBe(LinkState.Degraded);
            Answer(20);
        }

        _tracker.Health.State.ShouldBe(LinkState.Up);
        for (int i = 0; i < 32; i++)
        {
            Answer(20);
        }

        _tracker.Interval.ShouldBe(TimeSpan.FromSeconds(1));
    }

    [Fact]
    public void A_sign_of_losses_without_any_ends_by_itself()
    {
        for (int i = 0; i < 30; i++)
        {
            Answer(20);
        }

        _tracker.Loses();
        for (int i = 0; i < 30; i++)
        {
            Answer(20);
        }

        _tracker.Interval.ShouldBe(TimeSpan.FromSeconds(1));
        _tracker.Health.State.ShouldBe(LinkState.Up);
    }

    [Fact]
    public void A_line_that_was_away_for_moments_does_not_lose_and_one_that_loses_half_does()
    {
        for (int i = 0; i < 64; i++)
        {
            Answer(20);
        }

        for (int flap = 0; flap < 20; flap++)
        {
            for (int i = 0; i < 5; i++)
            {
                Miss();
            }

            Answer(20);
            Answer(20);
            Answer(20);
            _tracker.Health.State.ShouldBe(LinkState.Up);
        }

        _tracker.Health.LossRatio.ShouldBe(0);
        var random = new Random(1);
        for (int i = 0; i < 40 && _tracker.Health.State == LinkState.Up; i++)
        {
            if (random.Next(2) == 0)
            {
                Miss();
            }
            else
            {
                Answer(20);
            }
        }

        _tracker.Health.State.ShouldNotBe(LinkState.Up);
    }

    [Fact]
    public void A_line_that_loses_half_of_everything_is_degraded_and_not_taken_for_dead()
    {
        var random = new Random(1);
        Up();
        int downs = 0;
        for (int i = 0; i < 400; i++)
        {
            bool was = _tracker.IsDown;
            if (random.NextDouble() < 0.5)
            {
                Miss();
            }
            else
            {
                Answer(20);
            }

            downs += !was && _tracker.IsDown ? 1 : 0;
        }

        // Before its habit is known, if at all.
        downs.ShouldBeLessThanOrEqualTo(1);
        _tracker.FailsToDown.ShouldBeInRange(7, 14);
        for (int i = 0; i < 14; i++)
        {
            Miss();
        }

        _tracker.IsDown.ShouldBeTrue("an outage is one all the same");
    }
}
