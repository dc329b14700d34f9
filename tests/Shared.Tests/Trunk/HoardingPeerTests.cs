using Aggregator.Flows;
using Aggregator.Trunk;
using Shouldly;
using Xunit;
using static Aggregator.Shared.Tests.Trunk.PeerFrames;

namespace Aggregator.Shared.Tests.Trunk;

/// <summary>A peer that keeps to the letter of every frame and takes all it can get: what it can make us hold is bounded, and where nothing else helps its session ends.</summary>
public sealed class HoardingPeerTests
{
    private readonly SilentEvents _events = new();
    private long _now = 1;

    [Fact]
    public void A_million_opens_are_answered_busy_and_cost_little()
    {
        var (engine, lane) = Vps();
        byte[] buffer = new byte[128 * 1024];
        for (uint id = 1; id <= 1_000_000; id++)
        {
            engine.Received(lane, Open(id), ++_now);
            if (id % 1000 == 0)
            {
                while (engine.Fill(lane, buffer, ++_now) > 0)
                {
                }

                // A peer that reads and acknowledges; those that do not are the next tests'.
                engine.Received(lane, Ack(1, lane.SentCount), ++_now);
            }
        }

        engine.StreamCount.ShouldBe(new TrunkOptions().MaxStreams);
    }

    [Fact]
    public void A_peer_that_asks_and_never_reads_ends_its_session()
    {
        var (engine, lane) = Vps();
        Should.Throw<TrunkProtocolException>(() =>
        {
            for (uint id = 1; id < 200_000; id++)
            {
                engine.Received(lane, Open(id), ++_now);
            }
        }).EndsSession.ShouldBeTrue();
    }

    [Fact]
    public void Stream_numbers_with_many_holes_are_an_error()
    {
        var (engine, lane) = Vps();
        Should.Throw<TrunkProtocolException>(() =>
        {
            for (uint id = 1; id < 100_000; id += 2)
            {
                engine.Received(lane, Frame(TrunkFrameType.Reset, 0, id, 0, 0), ++_now);
            }
        }).EndsSession.ShouldBeTrue();
    }

    [Fact]
    public void When_readers_leave_everything_lying_the_largest_goes_and_memory_stays_within_the_budget()
    {
        var budget = new TrunkBudget(2 << 20);
        var engine = new TrunkEngine(TrunkRole.Vps, new EarliestCompletionScheduler(), budget, new TrunkOptions(), _events);
        var lane = engine.AddLane(1, LaneRole.Normal, _now);
        for (uint id = 1; id <= 200; id++)
        {
            engine.Received(lane, Frame(TrunkFrameType.Data, 0, id, 0, 16_000), ++_now);
            engine.Received(lane, Frame(TrunkFrameType.Data, 0, id, 16_000, 16_000), ++_now);
        }

        budget.ReceiveBytes.ShouldBeLessThanOrEqualTo(budget.Bytes);
        engine.StreamCount.ShouldBeLessThan(200);
    }

    /// <summary>Grants all the credit there is, takes everything, says nothing of it.</summary>
    [Fact]
    public void A_peer_that_never_acknowledges_makes_us_hold_no_more_than_the_budget()
    {
        const int streams = 200;
        var budget = new TrunkBudget(4 << 20);
        var engine = new TrunkEngine(TrunkRole.Vps, new EarliestCompletionScheduler(), budget, new TrunkOptions(), _events);
        var lane = engine.AddLane(1, LaneRole.Normal, _now);
        byte[] buffer = new byte[128 * 1024];
        for (uint id = 1; id <= streams; id++)
        {
            engine.Received(lane, Open(id), ++_now);
            engine.Reply(_events.OpenedStreams[^1], new FlowReply(OpenResult.Opened, null), ++_now);
            engine.Received(lane, Frame(TrunkFrameType.Credit, 0, id, 1L << 60, 0), ++_now);
        }

        for (int round = 0; round < 300; round++)
        {
            foreach (var stream in _events.OpenedStreams)
            {
                engine.Write(stream, buffer.AsSpan(0, 64 * 1024), _now);
            }

            while (engine.Fill(lane, buffer, ++_now) > 0)
            {
            }

            engine.Tick(_now += 1000);
            budget.SendBytes.ShouldBeLessThanOrEqualTo(budget.Bytes + (streams * TrunkBudget.LeastOfStream));
            engine.Streams.Values.Sum(s => s.SendHeldBytes).ShouldBeLessThanOrEqualTo(budget.Bytes + (streams * 2L * BlockPool.BlockBytes));
        }
    }

    /// <summary>Reads all we say, which therefore never waits for a lane, and acknowledges none of it.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_peer_that_opens_without_end_and_never_acknowledges_ends_its_session(bool resets)
    {
        var (engine, lane) = Vps(new TrunkOptions { MaxStreams = 100 });
        byte[] buffer = new byte[128 * 1024];
        Should.Throw<TrunkProtocolException>(() =>
        {
            for (uint id = 1; id < 400_000; id++)
            {
                engine.Received(lane, Open(id), ++_now);
                if (resets && _events.OpenedStreams.Count > 0)
                {
                    engine.Reply(_events.OpenedStreams[^1], new FlowReply(OpenResult.Refused, null), _now);
                    _events.OpenedStreams.Clear();
                }

                while (id % 1000 == 0 && engine.Fill(lane, buffer, ++_now) > 0)
                {
                }
            }
        }).EndsSession.ShouldBeTrue();
        lane.Sent.Count.ShouldBe(TrunkEngine.MaxUnacknowledgedFrames);
    }

    [Fact]
    public void Streams_without_end_of_bytes_that_nobody_opens_are_answered_busy_and_stay_within_the_budget()
    {
        var budget = new TrunkBudget(2 << 20);
        var engine = new TrunkEngine(TrunkRole.Vps, new EarliestCompletionScheduler(), budget, new TrunkOptions(), _events);
        var lane = engine.AddLane(1, LaneRole.Normal, _now);
        byte[] buffer = new byte[128 * 1024];
        for (uint id = 1; id <= 200_000; id++)
        {
            engine.Received(lane, Frame(TrunkFrameType.Data, 0, id, 0, 100), ++_now);
            if (id % 1000 == 0)
            {
                while (engine.Fill(lane, buffer, ++_now) > 0)
                {
                }

                engine.Received(lane, Ack(1, lane.SentCount), ++_now);
                budget.ReceiveBytes.ShouldBeLessThanOrEqualTo(budget.Bytes);
                engine.StreamCount.ShouldBeLessThanOrEqualTo(new TrunkOptions().MaxStreams);
            }
        }

        _events.OpenedStreams.ShouldBeEmpty();
    }

    [Fact]
    public void A_hole_behind_every_byte_ends_the_stream_long_before_the_window_is_full()
    {
        var (engine, lane) = Vps();
        long offset = 1;
        while (engine.Streams.ContainsKey(1) || offset == 1)
        {
            engine.Received(lane, Frame(TrunkFrameType.Data, 0, 1, offset, 1), ++_now);
            offset += 2;
            offset.ShouldBeLessThan(TrunkEngine.EarlyWindowBytes);
        }

        _events.BrokenStreams.ShouldHaveSingleItem().Reason.ShouldBe(StreamBreak.OutOfMemory);
        (offset / 2).ShouldBe(TrunkEngine.MaxPiecesAhead + 1);
        engine.ReorderBytes.ShouldBe(0);
    }

    /// <summary>From the back, where each piece moves all others, and just below the limit: the list of pieces is in the books like the bytes.</summary>
    [Fact]
    public void Holes_in_many_streams_stay_within_the_budget()
    {
        var budget = new TrunkBudget(4 << 20);
        var engine = new TrunkEngine(TrunkRole.Vps, new EarliestCompletionScheduler(), budget, new TrunkOptions(), _events);
        var lane = engine.AddLane(1, LaneRole.Normal, _now);
        for (uint id = 1; id <= 40; id++)
        {
            for (long piece = 8000; piece > 0; piece--)
            {
                engine.Received(lane, Frame(TrunkFrameType.Data, 0, id, piece * 4, 1), ++_now);
            }

            budget.ReceiveBytes.ShouldBeLessThanOrEqualTo(budget.Bytes);
            engine.Streams.Values.Sum(s => (s.Ahead.Count * 16L) + s.Ahead.Bytes).ShouldBeLessThanOrEqualTo(budget.ReceiveBytes);
        }

        _events.BrokenStreams.ShouldAllBe(s => s.Reason == StreamBreak.OutOfMemory);
        engine.StreamCount.ShouldBeInRange(2, 39);
    }

    /// <summary>What is begun when the session is over would never be ended, and what it holds of the daemon's budget never given back.</summary>
    [Fact]
    public void What_comes_behind_a_goodbye_is_passed_over()
    {
        var budget = new TrunkBudget(TrunkBudget.MinBytes);
        var events = new EndingEvents();
        var engine = events.Engine = new TrunkEngine(TrunkRole.Vps, new EarliestCompletionScheduler(), budget, new TrunkOptions(), events);
        var lane = engine.AddLane(1, LaneRole.Normal, _now);
        engine.Received(
            lane,
            [
                .. Open(1), .. Frame(TrunkFrameType.Data, 0, 1, 0, 1000),
                .. Frame(TrunkFrameType.Goodbye, 0, 0, 0, 0),
                .. Open(2), .. Frame(TrunkFrameType.Data, 0, 2, 0, 1000), .. Frame(TrunkFrameType.Data, 1, 3, 0, 1000),
            ],
            ++_now);
        events.Left.ShouldBe(1);
        events.OpenedStreams.Count.ShouldBe(1);
        engine.StreamCount.ShouldBe(0);
        (budget.ReceiveBytes, budget.PromisedBytes, budget.SendBytes).ShouldBe((0, 0, 0));
    }

    private (TrunkEngine Engine, EngineLane Lane) Vps(TrunkOptions? options = null)
    {
        var engine = new TrunkEngine(
            TrunkRole.Vps, new EarliestCompletionScheduler(), new TrunkBudget(TrunkBudget.MinBytes), options ?? new TrunkOptions(), _events);
        return (engine, engine.AddLane(1, LaneRole.Normal, _now));
    }

    /// <summary>Ends the session when the peer says so, as the real shell does.</summary>
    private sealed class EndingEvents : SilentEvents
    {
        internal TrunkEngine? Engine { get; set; }

        internal int Left { get; private set; }

        public override void PeerLeft(GoodbyeCode code)
        {
            Left++;
            Engine!.BreakAll(StreamBreak.SessionLost);
        }
    }
}
