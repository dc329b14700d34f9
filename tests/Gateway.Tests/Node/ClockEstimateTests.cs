using Aggregator.Gateway.Node;
using Aggregator.Protocol.V1;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Node;

public sealed class ClockEstimateTests
{
    private readonly SettableTime _time = new();

    [Fact]
    public void The_way_of_question_and_answer_is_taken_out()
    {
        var clock = new ClockEstimate(_time);
        clock.Best.ShouldBeNull();
        Exchange(clock, ahead: 5000, there: 300, back: 100);
        var first = clock.Best.ShouldNotBeNull();
        first.Uncertainty.TotalMilliseconds.ShouldBe(200, 0.01);
        first.VpsAhead.TotalMilliseconds.ShouldBe(5100, 0.01, "the ways differ by 200 ms, so it is 100 ms off, within what it says it may be");

        Exchange(clock, ahead: 5000, there: 10, back: 12);
        clock.Best!.Value.VpsAhead.TotalMilliseconds.ShouldBe(4999, 0.01);
        Exchange(clock, ahead: 5000, there: 400, back: 0);
        clock.Best!.Value.VpsAhead.TotalMilliseconds.ShouldBe(4999, 0.01, "the quickest round trip counts");
        clock.Ask().VpsAheadMs.ShouldBe(4999, 0.01);
    }

    [Fact]
    public void A_clock_that_is_set_is_followed()
    {
        var clock = new ClockEstimate(_time);
        Exchange(clock, ahead: 0, there: 10, back: 10);
        Exchange(clock, ahead: 60_000, there: 50, back: 50);
        clock.Best!.Value.VpsAhead.TotalMilliseconds.ShouldBe(60_000, 0.01, "theirs was set");

        var probe = clock.Ask();
        _time.Pass(20);
        _time.SetAhead(3_600_000);
        clock.Answered(new ClockEcho { Sequence = probe.Sequence, ReceivedUs = probe.SentUs, SentUs = probe.SentUs });
        clock.Best.ShouldBeNull("ours was set while the answer was on its way");
    }

    [Fact]
    public void No_answer_breaks_it()
    {
        Prop.ForAll<ulong, long, long>((sequence, received, sent) =>
        {
            var clock = new ClockEstimate(_time);
            clock.Ask();
            _time.Pass(30);
            clock.Answered(new ClockEcho { Sequence = sequence % 3, ReceivedUs = received, SentUs = sent });
            clock.Answered(new ClockEcho { Sequence = 1, ReceivedUs = long.MinValue + Math.Abs(received % 9), SentUs = long.MaxValue - Math.Abs(sent % 9) });
            return clock.Best is not var (_, uncertainty) || uncertainty >= TimeSpan.Zero;
        }).QuickCheckThrowOnFailure();
    }

    /// <summary>All in milliseconds.</summary>
    private void Exchange(ClockEstimate clock, double ahead, double there, double back)
    {
        var probe = clock.Ask();
        _time.Pass(there);
        long theirs = Us(_time.GetUtcNow()) + (long)(ahead * 1000);
        _time.Pass(back);
        clock.Answered(new ClockEcho { Sequence = probe.Sequence, ReceivedUs = theirs, SentUs = theirs });
    }

    private static long Us(DateTimeOffset at) => (at - DateTimeOffset.UnixEpoch).Ticks / 10;

    private sealed class SettableTime : TimeProvider
    {
        private long _ticks;
        private DateTimeOffset _wall = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _ticks;

        public override DateTimeOffset GetUtcNow() => _wall;

        internal void Pass(double ms)
        {
            _ticks += TimeSpan.FromMilliseconds(ms).Ticks;
            _wall += TimeSpan.FromMilliseconds(ms);
        }

        internal void SetAhead(double ms) => _wall += TimeSpan.FromMilliseconds(ms);
    }
}
