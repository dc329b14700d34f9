using Aggregator.Flows;
using Aggregator.Health;
using Aggregator.Trunk;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Trunk;

/// <summary>One budget for all buffers, and it follows the memory that is left: nothing breaks, everything goes on, and nothing is lost from the books.</summary>
public sealed class BudgetTests
{
    private const int SlowBytes = 400_000;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private static readonly MemoryDecision Ample = new(MemoryState.Ample, 1);
    private static readonly MemoryDecision NearlyGone = new(MemoryState.Critical, 1.0 / 64);

    [Fact]
    public async Task A_flow_goes_on_with_a_smaller_window_while_memory_is_short_and_has_its_window_back_afterwards()
    {
        await using var pair = new TrunkPair();
        await pair.AddLaneAsync();
        var (gateway, vps) = await pair.OpenAsync();
        using var stop = new CancellationTokenSource();
        var writing = WriteAsync(gateway, stop.Token);
        var reading = ReadAsync(vps);
        await UntilAsync(() => reading.IsFaulted || pair.VpsBudget.PromisedBytes >= 1 << 20);

        pair.VpsBudget.Adapt(NearlyGone);
        pair.GatewayBudget.Adapt(NearlyGone);
        await UntilAsync(() => reading.IsFaulted || (pair.VpsBudget.PromisedBytes <= pair.VpsBudget.Bytes && pair.GatewayBudget.SendBytes <= pair.GatewayBudget.Bytes));
        pair.VpsBudget.Bytes.ShouldBe(1 << 20);
        TrunkStatusText.Of(pair.Vps.Sample(0)).BufferLimitBytes.ShouldBe(1UL << 20);
        long before = vps.Engine.ReadTo;
        await UntilAsync(() => reading.IsFaulted || vps.Engine.ReadTo > before + (4 << 20));

        pair.VpsBudget.Adapt(Ample);
        pair.GatewayBudget.Adapt(Ample);
        await UntilAsync(() => reading.IsFaulted || pair.VpsBudget.PromisedBytes > 1 << 20);
        await stop.CancelAsync();
        (await reading.WaitAsync(Limit)).ShouldBe(await writing.WaitAsync(Limit));
    }

    [Fact]
    public async Task Without_any_memory_to_speak_of_every_flow_still_gets_through()
    {
        const int Flows = 20, Bytes = 60_000;
        await using var pair = new TrunkPair();
        await pair.AddLaneAsync();
        await pair.AddLaneAsync();
        pair.GatewayBudget.Adapt(new MemoryDecision(MemoryState.Critical, 0));
        pair.VpsBudget.Adapt(new MemoryDecision(MemoryState.Critical, 0));
        var flows = new List<Task>();
        for (int i = 0; i < Flows; i++)
        {
            var (gateway, vps) = await pair.OpenAsync();
            flows.Add(EchoAsync(vps));
            flows.Add(AskAsync(gateway, Bytes));
        }

        long most = 0;
        var all = Task.WhenAll(flows);
        while (!all.IsCompleted)
        {
            most = Math.Max(most, pair.GatewayBudget.SendBytes);
            await Task.WhenAny(all, Task.Delay(1));
        }

        await all.WaitAsync(Limit);
        most.ShouldBeLessThanOrEqualTo(Flows * TrunkBudget.LeastOfStream);
    }

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

    /// <summary>
    /// A small budget, many that write as fast as they can to readers that hardly read, both ways, and a few that read: no more is held than may be, those that read
    /// get through while the others are stuck, nobody is broken, and the slow ones come to their end too.
    /// </summary>
    [Fact]
    public async Task Many_fast_writers_with_slow_readers_hold_no_more_than_the_budget_and_nobody_else_up()
    {
        const int Slow = 40, QuickBytes = 3_000_000;
        await using var pair = new TrunkPair(budgetBytes: 8 << 20);
        await pair.AddLaneAsync();
        await pair.AddLaneAsync();
        var slow = new List<(Task Task, TaskCompletionSource Wake)>();
        for (int i = 0; i < Slow; i++)
        {
            var (gateway, vps) = await pair.OpenAsync();
            foreach (var (writer, reader) in new[] { (gateway, vps), (vps, gateway) })
            {
                var wake = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                slow.Add((Task.WhenAll(WriteAllAsync(writer, SlowBytes), ReadSlowlyAsync(reader, wake.Task)), wake));
            }
        }

        long most = 0;
        for (int i = 0; i < 3; i++)
        {
            var (gateway, vps) = await pair.OpenAsync();
            var quick = Task.WhenAll(AskAsync(gateway, QuickBytes), EchoAsync(vps));
            while (!quick.IsCompleted)
            {
                most = new[] { most, pair.GatewayBudget.ReceiveBytes, pair.VpsBudget.ReceiveBytes, pair.GatewayBudget.SendBytes, pair.VpsBudget.SendBytes }.Max();
                await Task.WhenAny(quick, Task.Delay(1));
            }

            await quick.WaitAsync(Limit);
        }

        slow.ShouldAllBe(s => !s.Task.IsCompleted, "they are stuck, and whole");
        most.ShouldBeLessThanOrEqualTo((8 << 20) + (2 * Slow * TrunkBudget.LeastOfStream));
        foreach (var (task, wake) in slow)
        {
            wake.SetResult();
            await task.WaitAsync(Limit);
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

    [Fact]
    public async Task When_all_flows_are_over_nothing_is_left_in_the_books()
    {
        await using var pair = new TrunkPair();
        uint first = await pair.AddLaneAsync();
        await pair.AddLaneAsync();
        var flows = new List<Task>();
        for (int i = 0; i < 30; i++)
        {
            var (gateway, vps) = await pair.OpenAsync(i % 2 == 0 ? FlowClass.Redundant : FlowClass.Default);
            if (i % 5 == 0)
            {
                // Ended in the middle, with bytes on both sides.
                await gateway.WriteAsync(new byte[10_000], default);
                await vps.WriteAsync(new byte[10_000], default);
                gateway.Abort();
                continue;
            }

            flows.Add(EchoAsync(vps));
            flows.Add(AskAsync(gateway, 200_000));
        }

        pair.Lanes[first].Gateway.Close();
        await Task.WhenAll(flows).WaitAsync(Limit);
        foreach (var budget in (TrunkBudget[])[pair.GatewayBudget, pair.VpsBudget])
        {
            await UntilAsync(() => (budget.SendBytes, budget.ReceiveBytes, budget.PromisedBytes) == (0, 0, 0));
        }
    }

    private static async Task<long> WriteAsync(TrunkStream stream, CancellationToken stop)
    {
        byte[] buffer = new byte[64 * 1024];
        long at = 0;
        while (!stop.IsCancellationRequested)
        {
            Fill(buffer, at);
            await stream.WriteAsync(buffer, default);
            at += buffer.Length;
        }

        await stream.CompleteWritesAsync(default);
        return at;
    }

    private static async Task<long> ReadAsync(TrunkStream stream)
    {
        byte[] buffer = new byte[64 * 1024], expected = new byte[64 * 1024];
        long at = 0;
        while (await stream.ReadAsync(buffer, default) is var count && count > 0)
        {
            Fill(expected.AsSpan(0, count), at);
            buffer.AsSpan(0, count).SequenceEqual(expected.AsSpan(0, count)).ShouldBeTrue();
            at += count;
        }

        return at;
    }

    private static async Task WriteAllAsync(TrunkStream stream, int bytes)
    {
        byte[] all = new byte[bytes];
        Fill(all, 0);
        await stream.WriteAsync(all, default);
        await stream.CompleteWritesAsync(default);
    }

    /// <summary>A little, then nothing until it is woken, then to the end.</summary>
    private static async Task ReadSlowlyAsync(TrunkStream stream, Task wake)
    {
        await stream.ReadAsync(new byte[1], default);
        await wake;
        byte[] buffer = new byte[64 * 1024], expected = new byte[64 * 1024];
        long at = 1;
        while (await stream.ReadAsync(buffer, default) is var count && count > 0)
        {
            Fill(expected.AsSpan(0, count), at);
            buffer.AsSpan(0, count).SequenceEqual(expected.AsSpan(0, count)).ShouldBeTrue();
            at += count;
        }

        at.ShouldBe(SlowBytes);
    }

    private static async Task EchoAsync(TrunkStream stream)
    {
        byte[] buffer = new byte[10_000];
        while (await stream.ReadAsync(buffer, default) is var count && count > 0)
        {
            await stream.WriteAsync(buffer.AsMemory(0, count), default);
        }

        await stream.CompleteWritesAsync(default);
    }

    private static async Task AskAsync(TrunkStream stream, int bytes)
    {
        byte[] sent = new byte[bytes];
        Fill(sent, 0);
        var writing = Task.Run(async () =>
        {
            await stream.WriteAsync(sent, default);
            await stream.CompleteWritesAsync(default);
        });
        (await ReadAsync(stream)).ShouldBe(bytes);
        await writing;
    }

    private static void Fill(Span<byte> buffer, long at)
    {
        for (int i = 0; i < buffer.Length; i++)
        {
            buffer[i] = (byte)((at + i) * 31 >> 5);
        }
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        using var limit = new CancellationTokenSource(Limit);
        while (!condition())
        {
            await Task.Delay(5, limit.Token);
        }
    }
}
