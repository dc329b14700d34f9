using Aggregator.Tun;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Tun;

public sealed class ReadPaceTests
{
    [Theory]
    [InlineData(50)]
    [InlineData(1_000)]
    [InlineData(15_000)]
    public void Who_sends_a_moderate_rate_never_waits(int perSecond) => Rests(perSecond, batch: 1, seconds: 2).ShouldAllBe(r => r == 0);

    /// <summary>Two packets at once, each 20 ms: a game.</summary>
    [Fact]
    public void A_short_burst_is_no_rate() => Rests(100, batch: 2, seconds: 2).ShouldAllBe(r => r == 0);

    [Theory]
    [InlineData(60_000)]
    [InlineData(400_000)]
    public void A_flood_is_read_in_batches(int perSecond)
    {
        int[] rests = Rests(perSecond, batch: 4, seconds: 1);
        rests[^1].ShouldBeInRange(1, ReadPace.MostUs);

        // A batch's worth, as far as the longest rest lets it be.
        (rests[^1] / 1e6 * perSecond).ShouldBeInRange(12, 33);
    }

    [Fact]
    public void Nobody_rests_while_more_waits()
    {
        var pace = new ReadPace();
        for (long us = 0; us < 1_000_000; us += 100)
        {
            pace.After(64, isFull: true, us).ShouldBe(0);
        }
    }

    [Fact]
    public void After_a_flood_the_first_question_waits_once_at_most()
    {
        var pace = new ReadPace();
        for (long us = 0; us < 1_000_000; us += 200)
        {
            pace.After(40, isFull: false, us);
        }

        pace.After(1, isFull: false, 1_050_000).ShouldBe(0);
    }

    private static int[] Rests(int perSecond, int batch, int seconds)
    {
        var pace = new ReadPace();
        var rests = new List<int>();
        for (double us = 0; us < seconds * 1e6; us += batch * 1e6 / perSecond)
        {
            rests.Add(pace.After(batch, isFull: false, (long)us));
        }

        return [.. rests];
    }
}
