using Aggregator.Gateway.Speed;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Speed;

public sealed class SpeedPlanTests
{
    /// <summary>Even if every measurement takes all the time that it is given, and a second around it.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void The_default_test_of_up_to_three_links_ends_in_time(int links)
    {
        double now = 3;
        double end = SpeedPlan.EndS(links, SpeedOptions.DefaultDuration);
        for (int left = (links + 2) * 2; left > 0; left--)
        {
            LoadTime time = SpeedPlan.Next(end - now, left, SpeedOptions.DefaultDuration);
            time.LeastS.ShouldBeLessThanOrEqualTo(time.MostS);
            time.MostS.ShouldBeInRange(1, SpeedOptions.DefaultDuration.TotalSeconds);
            now += time.MostS + 1;
        }

        now.ShouldBeLessThanOrEqualTo(42);
    }

    [Fact]
    public void What_a_far_link_takes_on_top_is_not_the_others_time()
    {
        SpeedPlan.IsFar(0.1).ShouldBeFalse();
        SpeedPlan.IsFar(0.6).ShouldBeTrue();
        LoadTime alone = SpeedPlan.Next(24, 8, SpeedOptions.DefaultDuration);
        SpeedPlan.Next(24 + (2 * SpeedPlan.FarS), 8, SpeedOptions.DefaultDuration, farToCome: 2).ShouldBe(alone);
        SpeedPlan.Next(24 + (2 * SpeedPlan.FarS), 8, SpeedOptions.DefaultDuration, far: true, farToCome: 2).MostS.ShouldBe(5);
        SpeedPlan.Next(SpeedPlan.FarS, 5, SpeedOptions.DefaultDuration, far: true, farToCome: 1).MostS.ShouldBeGreaterThan(4);
    }

    [Fact]
    public void More_links_and_longer_durations_have_more_time_and_late_measurements_some()
    {
        SpeedPlan.EndS(6, SpeedOptions.DefaultDuration).ShouldBe(2 * SpeedPlan.EndS(3, SpeedOptions.DefaultDuration));
        SpeedPlan.EndS(3, TimeSpan.FromSeconds(60)).ShouldBe(480);
        SpeedPlan.EndS(3, TimeSpan.FromSeconds(1)).ShouldBe(SpeedPlan.EndS(3, SpeedOptions.DefaultDuration));
        SpeedPlan.Next(-5, 1, SpeedOptions.DefaultDuration).MostS.ShouldBe(1.2, 0.001);
        SpeedPlan.Next(40, 10, TimeSpan.FromSeconds(1)).ShouldBe(new LoadTime(0.4, 1));
        SpeedPlan.Next(40, 10, TimeSpan.FromSeconds(1), whole: true).ShouldBe(new LoadTime(1, 1));
    }
}
