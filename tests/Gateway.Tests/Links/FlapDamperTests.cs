using Aggregator.Gateway.Links;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Links;

public sealed class FlapDamperTests
{
    private readonly FlapDamper _damper = new();
    private TimeSpan _now;

    [Fact]
    public void Two_outages_cost_nothing_and_the_third_holds_it_back()
    {
        At(0, works: true).ShouldBeNull();
        Flap(0.7).ShouldBeNull();
        Flap(0.7).ShouldBeNull();
        Flap(0.7).ShouldBe(TimeSpan.FromSeconds(2));
        _damper.Release.ShouldBe(_now + TimeSpan.FromSeconds(2));
        At(1.9, works: true).ShouldBe(TimeSpan.FromSeconds(2));
        At(0.1, works: true).ShouldBeNull();
        _damper.Release.ShouldBeNull();
    }

    [Fact]
    public void However_long_it_flaps_it_is_back_after_a_few_seconds_of_holding_and_forgiven_in_a_minute()
    {
        At(0, works: true);
        for (int i = 0; i < 500; i++)
        {
            Flap(0.7);
        }

        TimeSpan hold = At(0, works: true).ShouldNotBeNull();
        hold.ShouldBeLessThanOrEqualTo(TimeSpan.FromSeconds(8));
        At(hold.TotalSeconds, works: true).ShouldBeNull();
        At(90, works: true).ShouldBeNull();
        Flap(1).ShouldBeNull();
    }

    [Fact]
    public void Nothing_is_held_that_was_never_seen_to_work()
    {
        At(0, works: false).ShouldBeNull();
        At(5, works: true).ShouldBeNull();
        At(5, works: false).ShouldBeNull();
        _damper.Release.ShouldBeNull();
    }

    [Fact]
    public void Outages_after_good_service_are_not_flapping()
    {
        At(0, works: true);
        for (int i = 0; i < 50; i++)
        {
            At(8, works: false);
            At(2, works: true).ShouldBeNull();
        }

        // Short ones are, also then.
        Flap(0.7);
        Flap(0.7).ShouldNotBeNull();
    }

    private TimeSpan? Flap(double seconds)
    {
        At(seconds, works: false);
        return At(seconds, works: true);
    }

    private TimeSpan? At(double after, bool works)
    {
        _now += TimeSpan.FromSeconds(after);
        return _damper.Observe(_now, works);
    }
}
