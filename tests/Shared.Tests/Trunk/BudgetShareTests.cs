using Aggregator.Flows;
using Aggregator.Trunk;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Trunk;

/// <summary>Sessions of one daemon and their parts of its budget.</summary>
public sealed class BudgetShareTests
{
    /// <summary>One gateway's readers all sleep; whatever that costs, it costs that gateway.</summary>
    [Fact]
    public void A_session_that_hoards_costs_another_one_neither_window_nor_stream()
    {
        var budget = new TrunkBudget(8 << 20);
        var events = new SilentEvents();
        var hoarder = new TrunkEngine(TrunkRole.Vps, new EarliestCompletionScheduler(), budget, new TrunkOptions(), events);
        var lane = hoarder.AddLane(1, LaneRole.Normal, 1);
        long now = 1;
        Hoard(1, 400);
        budget.ReceiveBytes.ShouldBeInRange(budget.Bytes * 9 / 10, budget.Bytes);
        budget.PromisedBytes.ShouldBeGreaterThan(budget.Bytes / 2);

        var others = new SilentEvents();
        var other = new TrunkEngine(TrunkRole.Vps, new EarliestCompletionScheduler(), budget, new TrunkOptions { FirstWindowBytes = 1 << 20 }, others);
        var othersLane = other.AddLane(1, LaneRole.Normal, 1);
        other.Received(othersLane, PeerFrames.Open(1), ++now);
        var stream = others.OpenedStreams.ShouldHaveSingleItem();
        other.Reply(stream, new FlowReply(OpenResult.Opened, null), now);
        stream.Granted.ShouldBe(1 << 20, "its first window is that of a session by itself");

        // It leaves a whole window lying: less than half of the budget, so it is the hoarder's streams that go.
        int broken = events.BrokenStreams.Count;
        byte[] data = PeerFrames.Frame(TrunkFrameType.Data, 0, 1, 0, 16_000);
        for (long offset = 0; offset + 16_000 <= stream.Granted; offset += 16_000)
        {
            new TrunkFrame(TrunkFrameType.Data, 0, 16_000, 1, offset).Write(data);
            other.Received(othersLane, data, ++now);
            hoarder.Tick(now += 1000);
            budget.ReceiveBytes.ShouldBeLessThanOrEqualTo(budget.Bytes);
        }

        events.BrokenStreams.Count.ShouldBeGreaterThan(broken);
        others.BrokenStreams.ShouldBeEmpty();

        // And who comes with ever more finds its own streams gone, not the other's.
        Hoard(1001, 400);
        budget.ReceiveBytes.ShouldBeLessThanOrEqualTo(budget.Bytes);
        others.BrokenStreams.ShouldBeEmpty();

        hoarder.BreakAll(StreamBreak.SessionLost);
        budget.Sessions.ShouldBe(1);
        budget.ReceiveBytes.ShouldBe(stream.ReceiveHeldBytes);

        void Hoard(uint first, int streams)
        {
            for (uint id = first; id < first + streams; id++)
            {
                for (long offset = 0; offset + 16_000 <= TrunkEngine.EarlyWindowBytes; offset += 16_000)
                {
                    hoarder.Received(lane, PeerFrames.Frame(TrunkFrameType.Data, 0, id, offset, 16_000), ++now);
                }
            }
        }
    }

    /// <summary>Hundreds that sleep use up the memory, each with less than a quick reader's window has in it for a moment: it is they who go.</summary>
    [Fact]
    public void Who_reads_is_not_reset_for_those_who_sleep()
    {
        var budget = new TrunkBudget(8 << 20);
        var events = new SilentEvents();
        var engine = new TrunkEngine(TrunkRole.Vps, new EarliestCompletionScheduler(), budget, new TrunkOptions { FirstWindowBytes = 1 << 20 }, events);
        var lane = engine.AddLane(1, LaneRole.Normal, 1);
        long now = 1;
        engine.Received(lane, PeerFrames.Open(1), ++now);
        var reader = events.OpenedStreams.ShouldHaveSingleItem();
        engine.Reply(reader, new FlowReply(OpenResult.Opened, null), now);
        for (uint id = 2; id < 126; id++)
        {
            for (long offset = 0; offset + 16_000 <= TrunkEngine.EarlyWindowBytes; offset += 16_000)
            {
                engine.Received(lane, PeerFrames.Frame(TrunkFrameType.Data, 0, id, offset, 16_000), ++now);
            }
        }

        events.BrokenStreams.ShouldBeEmpty();
        now += 2_000_000;
        long read = 0;
        for (long offset = 0; offset + 16_000 <= 1 << 20; offset += 16_000)
        {
            engine.Received(lane, PeerFrames.Frame(TrunkFrameType.Data, 0, 1, offset, 16_000), ++now);
            read += engine.Read(reader, new byte[1000], now);
        }

        budget.ReceiveBytes.ShouldBeLessThanOrEqualTo(budget.Bytes);
        events.BrokenStreams.ShouldNotBeEmpty();
        events.BrokenStreams.ShouldNotContain(b => b.Stream == reader);
        (reader.UnreadBytes + read).ShouldBe(1_040_000, "all that came is there");
    }

    /// <summary>A hundred streams have grown their windows, and then the machine stands still for a moment: all windows fill, and nobody has done anything wrong.</summary>
    [Fact]
    public void When_all_readers_pause_at_once_there_is_room_for_what_they_were_promised()
    {
        var budget = new TrunkBudget(TrunkBudget.MinBytes);
        var events = new SilentEvents();
        var engine = new TrunkEngine(TrunkRole.Vps, new EarliestCompletionScheduler(), budget, new TrunkOptions(), events);
        var lane = engine.AddLane(1, LaneRole.Normal, 1);
        long now = 1;
        const int Streams = 100, Piece = 16_000;
        long[] sent = new long[Streams];
        for (uint id = 1; id <= Streams; id++)
        {
            engine.Received(lane, PeerFrames.Open(id), ++now);
            engine.Reply(events.OpenedStreams[^1], new FlowReply(OpenResult.Opened, null), now);
        }

        byte[] buffer = new byte[256 * 1024];
        for (int round = 0; round < 100; round++, now += 5_000)
        {
            foreach (var stream in events.OpenedStreams)
            {
                Send(stream, 4);
                while (engine.Read(stream, buffer, now) > 0)
                {
                }
            }
        }

        events.OpenedStreams.Sum(s => s.Window).ShouldBeGreaterThan(2 * Streams * TrunkEngine.EarlyWindowBytes, "those who read well have more than they began with");
        foreach (var stream in events.OpenedStreams)
        {
            Send(stream, int.MaxValue);
        }

        events.BrokenStreams.ShouldBeEmpty();
        budget.ReceiveBytes.ShouldBeInRange(budget.Bytes / 2, budget.Bytes);

        void Send(EngineStream stream, int pieces)
        {
            ref long offset = ref sent[stream.Id - 1];
            for (; pieces > 0 && offset + Piece <= stream.Granted; pieces--, offset += Piece)
            {
                engine.Received(lane, PeerFrames.Frame(TrunkFrameType.Data, 0, stream.Id, offset, Piece), now);
            }
        }
    }

    /// <summary>A gateway that takes downloads and acknowledges nothing holds the memory for sending, and another one still has its part of it.</summary>
    [Fact]
    public void A_session_that_acknowledges_nothing_leaves_another_one_its_part_for_sending()
    {
        var budget = new TrunkBudget(4 << 20);
        byte[] buffer = new byte[128 * 1024];
        long now = 1;
        var (first, firstLane, firstStreams) = Serving(50);
        var (second, secondLane, secondStreams) = Serving(50);
        for (int round = 0; round < 200; round++)
        {
            Push(first, firstLane, firstStreams);
        }

        budget.SendBytes.ShouldBeGreaterThan(budget.Bytes * 3 / 4);
        for (int round = 0; round < 200; round++)
        {
            Push(second, secondLane, secondStreams);
            budget.SendBytes.ShouldBeLessThanOrEqualTo((2 * budget.Bytes) + (100 * TrunkBudget.LeastOfStream));
        }

        secondStreams.Sum(s => s.WriteEnd).ShouldBeGreaterThan(budget.Bytes * 2 / 5);

        void Push(TrunkEngine engine, EngineLane lane, List<EngineStream> streams)
        {
            foreach (var stream in streams)
            {
                engine.Write(stream, buffer.AsSpan(0, 64 * 1024), now);
            }

            while (engine.Fill(lane, buffer, ++now) > 0)
            {
            }

            engine.Tick(now += 1000);
        }

        (TrunkEngine Engine, EngineLane Lane, List<EngineStream> Streams) Serving(uint streams)
        {
            var events = new SilentEvents();
            var engine = new TrunkEngine(TrunkRole.Vps, new EarliestCompletionScheduler(), budget, new TrunkOptions(), events);
            var lane = engine.AddLane(1, LaneRole.Normal, now);
            for (uint id = 1; id <= streams; id++)
            {
                engine.Received(lane, [.. PeerFrames.Open(id), .. PeerFrames.Frame(TrunkFrameType.Credit, 0, id, 1L << 60, 0)], ++now);
                engine.Reply(events.OpenedStreams[^1], new FlowReply(OpenResult.Opened, null), now);
            }

            return (engine, lane, events.OpenedStreams);
        }
    }

    /// <summary>Thousands are promised all there is and do nothing. Those that read get more than their first window, but together not more than is there.</summary>
    [Fact]
    public void Streams_that_read_well_while_all_is_promised_are_not_promised_as_much_again()
    {
        var budget = new TrunkBudget(4 << 20);
        var events = new SilentEvents();
        var engine = new TrunkEngine(TrunkRole.Vps, new EarliestCompletionScheduler(), budget, new TrunkOptions(), events);
        var lane = engine.AddLane(1, LaneRole.Normal, 1);
        byte[] into = new byte[64 * 1024];
        long now = 1;
        for (uint id = 1; id <= 100; id++)
        {
            engine.Received(lane, PeerFrames.Open(id), ++now);
            engine.Reply(events.OpenedStreams[^1], new FlowReply(OpenResult.Opened, null), now);
        }

        budget.PromisedBytes.ShouldBeGreaterThan(budget.Bytes);
        long promisedToIdle = budget.PromisedBytes;
        for (int round = 0; round < 200; round++)
        {
            foreach (var stream in events.OpenedStreams.Take(50))
            {
                int count = (int)Math.Min(16_000, stream.Granted - stream.ReadTo);
                engine.Received(lane, PeerFrames.Frame(TrunkFrameType.Data, 0, stream.Id, stream.ReadTo, count), now += 20);
                engine.Read(stream, into, now);
            }
        }

        budget.BeyondBytes.ShouldBeInRange(budget.Bytes / 4, budget.Bytes / 2);
        budget.PromisedBytes.ShouldBeLessThanOrEqualTo(promisedToIdle + (budget.Bytes / 2));
        engine.BreakAll(StreamBreak.SessionLost);
        (budget.BeyondBytes, budget.PromisedBytes, budget.ReceiveBytes).ShouldBe((0, 0, 0));
    }
}
