using System.Collections.Immutable;
using Aggregator.Gateway.Doctor;
using Aggregator.Gateway.Links;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Doctor;

public sealed class TrafficHistoryTests
{
    private readonly Dictionary<string, InterfaceCounters> _counters = new() { ["if-dsl"] = new(1000, 100), ["if-lte"] = new(500, 50) };
    private readonly Clock _clock = new();
    private readonly LinkSnapshot _links = new() { Links = ImmutableArray.Create(Some.Link("dsl"), Some.Link("lte")) };

    [Fact]
    public async Task A_window_is_the_difference_of_a_minute_and_no_more()
    {
        await using var history = New();
        history.Take();
        for (int i = 0; i < 2 * TrafficHistory.Samples; i++)
        {
            _clock.Now += TrafficHistory.Interval;
            _counters["if-dsl"] = new(_counters["if-dsl"].RxBytes + 10, _counters["if-dsl"].TxBytes + 1);
            history.Take();
        }

        var window = history.Window();
        window.Length.ShouldBe(TrafficHistory.Span);
        window.Links.ShouldBe([new LinkTraffic("dsl", 120, 12), new LinkTraffic("lte", 0, 0)]);
    }

    [Fact]
    public async Task An_interface_that_began_anew_counts_from_nothing()
    {
        await using var history = New();
        history.Take();
        _clock.Now += TrafficHistory.Interval;
        _counters["if-dsl"] = new(7, 3);
        _counters.Remove("if-lte");
        history.Window().Links.ShouldBe([new LinkTraffic("dsl", 7, 3)]);
    }

    [Fact]
    public async Task Without_a_sample_there_is_no_window()
    {
        await using var history = New();
        history.Window().ShouldSatisfyAllConditions(w => w.Length.ShouldBe(TimeSpan.Zero), w => w.Links.ShouldBeEmpty());
    }

    private TrafficHistory New() => new(() => _links, name => _counters.TryGetValue(name, out var c) ? c : null, _clock);

    private sealed class Clock : TimeProvider
    {
        internal TimeSpan Now { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;
    }
}
