using Aggregator.Relay;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Relay;

/// <summary>A budget that follows the memory; what flows make of it is StreamRelayTests'.</summary>
public sealed class RelayBudgetTests
{
    [Fact]
    public async Task Less_memory_is_less_large_buffers_and_nobody_waits_for_good()
    {
        var budget = new RelayBudget(largeCount: 4, smallCount: 1);
        var held = new List<byte[]>();
        for (int i = 0; i < 5; i++)
        {
            held.Add(await budget.RentAsync());
        }

        var waiting = budget.RentAsync().AsTask();
        waiting.IsCompleted.ShouldBeFalse();
        budget.Adapt(0.25, refusesFlows: true);
        budget.RefusesFlows.ShouldBeTrue();
        budget.LimitBytes.ShouldBe(RelayBudget.LargeBytes + RelayBudget.SmallBytes);

        budget.Return(held[0]);
        (await waiting).Length.ShouldBe(RelayBudget.SmallBytes, "its large one went to the collector");
        budget.InUseBytes.ShouldBe((3 * RelayBudget.LargeBytes) + (2 * RelayBudget.SmallBytes));

        foreach (byte[] buffer in held.Skip(1).Append(await waiting))
        {
            budget.Return(buffer);
        }

        budget.InUseBytes.ShouldBe(0);
        (await budget.RentAsync()).Length.ShouldBe(RelayBudget.LargeBytes);
        (await budget.RentAsync()).Length.ShouldBe(RelayBudget.SmallBytes);
        var next = budget.RentAsync().AsTask();
        next.IsCompleted.ShouldBeFalse();
        budget.Adapt(1, refusesFlows: false);
        (await next).Length.ShouldBe(RelayBudget.LargeBytes, "more memory wakes those that wait");
        budget.RefusesFlows.ShouldBeFalse();
    }

    [Fact]
    public void Whatever_is_taken_given_back_and_changed_the_bound_holds()
    {
        var steps = Gen.ArrayOf(Gen.Choose(0, 6)).ToArbitrary();
        Prop.ForAll(steps, all =>
        {
            var budget = new RelayBudget(largeCount: 8, smallCount: 3);
            var held = new Queue<Task<byte[]>>();
            foreach (int step in all)
            {
                switch (step)
                {
                    case <= 2:
                        held.Enqueue(budget.RentAsync().AsTask());
                        break;
                    case <= 4:
                        // In order of arrival, so that the first is never one that waits.
                        if (held.TryDequeue(out var first))
                        {
                            budget.Return(first.GetAwaiter().GetResult());
                        }

                        break;
                    default:
                        budget.Adapt(step == 5 ? 0.125 : 1, refusesFlows: false);
                        break;
                }

                budget.InUseBytes.ShouldBe(held.Where(h => h.IsCompletedSuccessfully).Sum(h => h.Result.Length));
                budget.InUseBytes.ShouldBeLessThanOrEqualTo((8 * RelayBudget.LargeBytes) + ((3 + 8) * RelayBudget.SmallBytes));
            }
        }).QuickCheckThrowOnFailure();
    }
}
