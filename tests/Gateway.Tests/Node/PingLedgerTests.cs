using Aggregator.Gateway.Node;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Node;

public sealed class PingLedgerTests
{
    private readonly SettableTime _time = new();

    [Fact]
    public void An_answer_tells_the_round_trip_and_ends_the_silence()
    {
        var ledger = new PingLedger(_time);
        ulong sequence = ledger.Begin();
        _time.Advance(TimeSpan.FromMilliseconds(40));
        ledger.Silence.ShouldBe(TimeSpan.FromMilliseconds(40));
        ledger.Answered(sequence).ShouldBe(TimeSpan.FromMilliseconds(40));
        ledger.Silence.ShouldBe(TimeSpan.Zero);
    }

    [Fact]
    public void Answers_to_nothing_asked_count_for_nothing()
    {
        var ledger = new PingLedger(_time);
        ulong sequence = ledger.Begin();
        _time.Advance(TimeSpan.FromSeconds(1));
        ledger.Answered(0).ShouldBeNull();
        ledger.Answered(sequence + 1).ShouldBeNull();
        ledger.Answered(ulong.MaxValue).ShouldBeNull();
        ledger.Silence.ShouldBe(TimeSpan.FromSeconds(1));
        ledger.Answered(sequence).ShouldNotBeNull();
        ledger.Answered(sequence).ShouldBeNull("one answer a ping");
    }

    [Fact]
    public void A_ping_forgotten_for_newer_ones_is_not_mistaken_for_them()
    {
        var ledger = new PingLedger(_time);
        ulong first = ledger.Begin();
        for (int i = 0; i < 8; i++)
        {
            ledger.Begin();
        }

        ledger.Answered(first).ShouldBeNull();
    }

    [Fact]
    public void Tries_to_reconnect_never_lie_more_than_a_second_apart()
    {
        var delay = new ReconnectDelay();
        var waits = Enumerable.Range(0, 8).Select(_ => delay.Next()).ToArray();
        waits[0].ShouldBe(TimeSpan.FromMilliseconds(100));
        waits.ShouldBeInOrder();
        waits[^1].ShouldBeLessThanOrEqualTo(TimeSpan.FromSeconds(1));
        delay.Reset();
        delay.Next().ShouldBe(waits[0]);
    }

    private sealed class SettableTime : TimeProvider
    {
        private long _ticks;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _ticks;

        internal void Advance(TimeSpan by) => _ticks += by.Ticks;
    }
}
