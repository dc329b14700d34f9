using Aggregator.Gateway.Links;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Links;

public sealed class SilenceWatchTests
{
    private readonly SilenceWatch _watch = new();
    private TimeSpan _now;

    [Fact]
    public void A_busy_download_that_stops_is_silent_once_and_soon()
    {
        Busy();
        Signs(4, 0).ShouldBe([TrafficSign.Silent]);
        Signs(40, 0).ShouldBeEmpty();
        Look(5000).ShouldBe(TrafficSign.Moves);
    }

    [Fact]
    public void Unacknowledged_bytes_are_waited_for_however_few()
    {
        Signs(10, 0).ShouldBeEmpty();
        Signs(6, 0, unacknowledged: true).ShouldBe([TrafficSign.Silent]);
    }

    [Fact]
    public void A_trickle_may_end_and_an_idle_line_is_no_silent_one()
    {
        Look(100);
        Signs(100, 0).ShouldBeEmpty();
    }

    [Fact]
    public void Pauses_that_are_usual_are_no_silence()
    {
        // A window each 200 ms, as on a long path.
        for (int i = 0; i < 10; i++)
        {
            Look(20_000);
            var signs = Signs(3, 0);
            // The first one is a surprise.
            (i == 0 || signs.Count == 0).ShouldBeTrue();
        }

        Look(20_000);
        Signs(7, 0).ShouldBeEmpty();
        Signs(2, 0).ShouldBe([TrafficSign.Silent]);
    }

    [Fact]
    public void Acknowledgements_are_missed_only_while_something_waits_for_one()
    {
        var watch = new SilenceWatch(onlyUnacknowledged: true);
        TimeSpan now = default;
        for (int i = 0; i < 20; i++)
        {
            watch.Look(now += TimeSpan.FromMilliseconds(50), 5000, unacknowledged: true);
        }

        for (int i = 0; i < 20; i++)
        {
            watch.Look(now += TimeSpan.FromMilliseconds(50), 0, unacknowledged: false).ShouldBeNull();
        }

        watch.IsSilent.ShouldBeFalse();
        for (int i = 0; i < 3; i++)
        {
            watch.Look(now += TimeSpan.FromMilliseconds(50), 0, unacknowledged: true).ShouldBeNull("what is sent after a rest has its own time");
        }

        watch.Look(now += TimeSpan.FromMilliseconds(50), 0, unacknowledged: true).ShouldBe(TrafficSign.Silent);
        watch.IsSilent.ShouldBeTrue();
        watch.Look(now + TimeSpan.FromMilliseconds(50), 1, unacknowledged: true).ShouldBe(TrafficSign.Moves);
        watch.IsSilent.ShouldBeFalse();
    }

    private void Busy()
    {
        for (int i = 0; i < 20; i++)
        {
            Look(5000);
        }
    }

    private TrafficSign? Look(long bytes, bool unacknowledged = false)
    {
        _now += TimeSpan.FromMilliseconds(50);
        return _watch.Look(_now, bytes, unacknowledged);
    }

    private List<TrafficSign> Signs(int looks, long bytes, bool unacknowledged = false) =>
        [.. Enumerable.Range(0, looks).Select(_ => Look(bytes, unacknowledged)).OfType<TrafficSign>()];
}
