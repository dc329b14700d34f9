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
