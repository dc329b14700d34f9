using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Links;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Links;

public sealed class PathTrackerTests
{
    private readonly PathTracker _tracker = new(ProbeConfig.Default);

    [Fact]
    public void Two_answers_bring_it_up_and_the_second_is_asked_for_at_once()
    {
        _tracker.Health.ShouldBe(new PathHealth(LinkState.Up, PathTracker.Waiting, null, null, Checking: true));
        Answer(20);
        _tracker.Health.Checking.ShouldBeTrue();
        _tracker.Interval.TotalMilliseconds.ShouldBeLessThanOrEqualTo(100);
        Answer(20);
        _tracker.Health.ShouldBe(new PathHealth(LinkState.Up, null, 20, 0, Checking: false) { JitterMs = 7.5 });
        _tracker.Interval.ShouldBe(TimeSpan.FromSeconds(1));
    }

    [Fact]
    public void Three_misses_of_which_two_are_of_three_quick_probes_bring_it_down_and_two_answers_back()
    {
        Up();
        for (int i = 0; i < 6; i++)
        {
            Miss();
            _tracker.Health.State.ShouldBe(LinkState.Up);
            _tracker.Interval.TotalMilliseconds.ShouldBeLessThanOrEqualTo(90);
        }

        // Known within the interval, the answer time, and six of these.
        (_tracker.AnswerTime + (6 * _tracker.Interval)).ShouldBeLessThan(TimeSpan.FromSeconds(2));
        Miss();
        _tracker.Health.State.ShouldBe(LinkState.Down);
        _tracker.Health.Reason.ShouldBe("no answer");
        _tracker.Health.Checking.ShouldBeFalse();
        _tracker.Interval.TotalMilliseconds.ShouldBeLessThanOrEqualTo(300);

        Answer(20);
        Miss();
        Answer(20);
        _tracker.Health.State.ShouldBe(LinkState.Down);
        Answer(20);
        _tracker.Health.State.ShouldBe(LinkState.Up);
    }

    [Fact]
    public void A_path_that_never_answered_is_decided_after_three_misses()
    {
        Miss();
        Miss();
        _tracker.Health.Checking.ShouldBeTrue();
        _tracker.Health.State.ShouldBe(LinkState.Up, "what carries is used until it is shown not to answer");
        Miss();
        _tracker.Health.Checking.ShouldBeFalse();
        _tracker.Health.State.ShouldBe(LinkState.Down);
    }

    [Fact]
    public void Traffic_that_arrives_keeps_it_alive_until_that_ends_too()
    {
        Up();
        for (int i = 0; i < 10; i++)
        {
            Miss(traffic: true);
        }

        _tracker.Health.State.ShouldBe(LinkState.Degraded);
        Miss();
        _tracker.Health.State.ShouldBe(LinkState.Down);
    }

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
    public void The_answer_time_follows_the_round_trip_within_bounds()
    {
        _tracker.AnswerTime.ShouldBe(TimeSpan.FromSeconds(1));
        for (int i = 0; i < 50; i++)
        {
            Answer(600);
        }

        _tracker.AnswerTime.TotalMilliseconds.ShouldBeInRange(650, 1000);
        for (int i = 0; i < 100; i++)
        {
            Answer(1);
        }

        _tracker.AnswerTime.ShouldBe(TimeSpan.FromMilliseconds(200));
        for (int i = 0; i < 100; i++)
        {
            Answer(9000);
        }

        _tracker.AnswerTime.ShouldBe(TimeSpan.FromSeconds(6));
    }

    [Fact]
    public void Answers_that_suddenly_take_seconds_are_waited_for_from_the_first_late_one_on_and_degrade_it()
    {
        Up();
        Answer(4000);
        _tracker.AnswerTime.TotalMilliseconds.ShouldBeGreaterThan(4000);
        _tracker.Health.ShouldSatisfyAllConditions(
            h => h.State.ShouldBe(LinkState.Degraded),
            h => h.Impaired.ShouldBeTrue(),
            h => h.Reason.ShouldBe("answers take longer than 1000 ms"));

        // Below the mark it is still degraded, below four fifths of it it is well: 600 ms are what a satellite takes.
        Until(900);
        _tracker.Health.State.ShouldBe(LinkState.Degraded);
        Until(600);
        _tracker.Health.State.ShouldBe(LinkState.Up);

        void Until(double ms)
        {
            for (int i = 0; i < 40; i++)
            {
                Answer(ms);
            }
        }
    }

    [Fact]
    public void A_line_that_takes_seconds_from_now_on_is_an_outage_once_and_used_again_with_the_third_quick_answer()
    {
        for (int i = 0; i < 40; i++)
        {
            Answer(20);
        }

        // Nothing tells two seconds each way from a dead line before they are over.
        Silence();
        _tracker.IsDown.ShouldBeTrue();
        Answer(4000);
        Answer(4000);
        _tracker.Health.State.ShouldBe(LinkState.Degraded);

        // What takes four seconds is silent time and again; it was no outage then either.
        for (int i = 0; i < 20; i++)
        {
            _tracker.FellSilent();
            _tracker.AnswerTime.TotalMilliseconds.ShouldBeGreaterThan(4000);
            Answer(4000);
            _tracker.Health.State.ShouldBe(LinkState.Degraded);
        }

        Answer(20);
        Answer(20);
        _tracker.Health.State.ShouldBe(LinkState.Degraded, "two are no habit");
        _tracker.Interval.TotalMilliseconds.ShouldBeLessThanOrEqualTo(250);
        Answer(20);
        _tracker.Health.State.ShouldBe(LinkState.Up);

        // And its end is known as soon as any other line's.
        _tracker.FellSilent();
        _tracker.AnswerTime.TotalMilliseconds.ShouldBeLessThanOrEqualTo(200);

        void Silence()
        {
            _tracker.FellSilent();
            for (int i = 0; i < 3; i++)
            {
                Miss();
            }
        }
    }

    [Fact]
    public void A_queue_that_makes_answers_late_says_nothing_of_the_way_itself()
    {
        for (int i = 0; i < 40; i++)
        {
            Answer(20);
        }

        // Beyond the answer time, while traffic moves.
        Answer(400);
        Answer(450);
        _tracker.FellSilent();
        _tracker.AnswerTime.TotalMilliseconds.ShouldBeLessThanOrEqualTo(200);
    }

    [Fact]
    public void Traffic_that_falls_silent_hurries_everything_and_an_answer_clears_it()
    {
        _tracker.FellSilent();
        _tracker.IsAlarmed.ShouldBeFalse("nothing is known yet that could be lost");
        for (int i = 0; i < 30; i++)
        {
            Answer(20);
        }

        _tracker.FellSilent();
        _tracker.Interval.TotalMilliseconds.ShouldBeLessThanOrEqualTo(50);
        _tracker.AnswerTime.TotalMilliseconds.ShouldBeLessThanOrEqualTo(200);
        Answer(20);
        _tracker.IsAlarmed.ShouldBeFalse();
        _tracker.Health.State.ShouldBe(LinkState.Up);

        _tracker.FellSilent();
        Miss();
        Miss();
        _tracker.Health.State.ShouldBe(LinkState.Up);
        Miss();
        _tracker.Health.State.ShouldBe(LinkState.Down);
        _tracker.IsAlarmed.ShouldBeFalse();
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

    [Fact]
    public void Marks_can_be_switched_off_and_set()
    {
        var tracker = new PathTracker(new ProbeConfig { Fails = 5, Successes = 1, Marks = new LinkMarks { LossRatio = null, Latency = null, Jitter = TimeSpan.FromMilliseconds(10) } });
        tracker.Answered(TimeSpan.FromSeconds(3));
        tracker.Health.State.ShouldBe(LinkState.Up);
        tracker.Answered(TimeSpan.FromSeconds(3.5));
        tracker.Health.Reason.ShouldBe("answers vary by more than 10 ms");
        // The first, and twelve quick ones that stand for four.
        for (int i = 0; i < 12; i++)
        {
            tracker.Missed(trafficArrives: false, "no answer");
        }

        tracker.IsDown.ShouldBeFalse();
        tracker.Missed(trafficArrives: false, "no answer");
        tracker.IsDown.ShouldBeTrue();
    }

    private void Up()
    {
        Answer(20);
        Answer(20);
    }

    private void Answer(double ms) => _tracker.Answered(TimeSpan.FromMilliseconds(ms));

    private void Miss(bool traffic = false) => _tracker.Missed(traffic, "no answer");
}
