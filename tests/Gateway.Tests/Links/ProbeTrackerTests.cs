using Aggregator.Gateway.Links;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Links;

public sealed class ProbeTrackerTests
{
    private readonly ProbeTracker _tracker = new();

    [Fact]
    public void Two_answers_bring_it_up_and_the_second_is_asked_for_at_once()
    {
        _tracker.Health.ShouldBe(new PathHealth(LinkState.Up, ProbeTracker.Waiting, null, null, Checking: true));
        Answer(20);
        _tracker.Health.Checking.ShouldBeTrue();
        _tracker.Interval.TotalMilliseconds.ShouldBeLessThanOrEqualTo(100);
        Answer(20);
        _tracker.Health.ShouldBe(new PathHealth(LinkState.Up, null, 20, 0, Checking: false));
        _tracker.Interval.ShouldBe(TimeSpan.FromSeconds(1));
    }

    [Fact]
    public void Three_misses_bring_it_down_and_two_answers_back()
    {
        Up();
        Miss();
        Miss();
        _tracker.Health.State.ShouldBe(LinkState.Up);
        _tracker.Interval.TotalMilliseconds.ShouldBeLessThanOrEqualTo(300);
        Miss();
        _tracker.Health.State.ShouldBe(LinkState.Down);
        _tracker.Health.Reason.ShouldBe("no answer");
        _tracker.Health.Checking.ShouldBeFalse();
        _tracker.Interval.TotalMilliseconds.ShouldBeLessThanOrEqualTo(300);
        _tracker.Timeout.TotalMilliseconds.ShouldBeLessThanOrEqualTo(300);

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
        _tracker.Health.ShouldBe(new PathHealth(LinkState.Up, null, _tracker.Health.RttMs, 0, false));
    }

    [Fact]
    public void The_timeout_follows_the_round_trip_within_bounds()
    {
        _tracker.Timeout.ShouldBe(TimeSpan.FromSeconds(1));
        for (int i = 0; i < 50; i++)
        {
            Answer(600);
        }

        _tracker.Timeout.TotalMilliseconds.ShouldBeInRange(650, 1000);
        for (int i = 0; i < 100; i++)
        {
            Answer(1);
        }

        _tracker.Timeout.ShouldBe(TimeSpan.FromMilliseconds(200));
        for (int i = 0; i < 100; i++)
        {
            Answer(5000);
        }

        _tracker.Timeout.ShouldBe(TimeSpan.FromSeconds(2));
    }

    private void Up()
    {
        Answer(20);
        Answer(20);
    }

    private void Answer(double ms) => _tracker.Answered(TimeSpan.FromMilliseconds(ms));

    private void Miss(bool traffic = false) => _tracker.Missed(traffic, "no answer");
}
