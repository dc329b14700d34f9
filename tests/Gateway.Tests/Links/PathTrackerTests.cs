using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Links;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Links;

public sealed partial class PathTrackerTests
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
