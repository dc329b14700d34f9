using Aggregator.Gateway.Links;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Links;

public sealed class LossWatchTests
{
    private readonly LossWatch _watch = new();
    private TimeSpan _now;

    [Fact]
    public void It_tells_of_much_that_is_amiss_and_again_as_long_as_that_goes_on()
    {
        Look(20, 0, 100).ShouldBe(0);
        Look(20, 30, 100).ShouldBeInRange(4, 5);
        Look(20, 1, 100).ShouldBeLessThanOrEqualTo(1);
    }

    [Fact]
    public void A_few_segments_say_nothing_before_there_are_enough_of_them()
    {
        _watch.Look(_now += TimeSpan.FromSeconds(1), 5, 5).ShouldBeFalse();
        _watch.Look(_now += TimeSpan.FromSeconds(1), 5, 5).ShouldBeFalse();
        _watch.Look(_now += TimeSpan.FromSeconds(1), 20, 0).ShouldBeTrue("ten of thirty");
        _watch.Look(_now += TimeSpan.FromSeconds(1), 40, 0).ShouldBeFalse("what was told is over");
    }

    /// <returns>How often it told, with looks every 50 ms.</returns>
    private int Look(int looks, int amissPercent, int segments) =>
        Enumerable.Range(0, 2 * looks).Count(_ => _watch.Look(_now += TimeSpan.FromMilliseconds(50), segments, segments * amissPercent / 100));
}
