using Aggregator.Health;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Health;

public sealed class MemoryPolicyTests
{
    private const long Mebibyte = 1 << 20;
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(250);

    [Fact]
    public void Down_at_once_and_up_slowly()
    {
        var policy = new MemoryPolicy();
        Next(policy, 100).ShouldBe(new MemoryDecision(MemoryState.Ample, 1));
        Next(policy, 47).ShouldBe(new MemoryDecision(MemoryState.Short, 0.5));
        Next(policy, 47).Share.ShouldBe(0.25);
        Next(policy, 58).State.ShouldBe(MemoryState.Short, "not left before a quarter more than the mark is there");
        Next(policy, 31).ShouldBe(new MemoryDecision(MemoryState.Critical, MemoryPolicy.LeastShare));
        Next(policy, 39).State.ShouldBe(MemoryState.Critical);
        Next(policy, 41).State.ShouldBe(MemoryState.Short);
        Next(policy, 200).ShouldBe(new MemoryDecision(MemoryState.Ample, MemoryPolicy.LeastShare));
        for (int i = 0; i < 18; i++)
        {
            Next(policy, 200).Share.ShouldBe(MemoryPolicy.LeastShare);
        }

        Next(policy, 200).Share.ShouldBe(2 * MemoryPolicy.LeastShare);
        for (int i = 0; i < 60; i++)
        {
            Next(policy, 200);
        }

        policy.Last.ShouldBe(new MemoryDecision(MemoryState.Ample, 1));
    }

    [Fact]
    public void A_host_that_reclaims_all_the_time_is_short()
    {
        var policy = new MemoryPolicy();
        policy.Next(new(4096 * Mebibyte, 3000 * Mebibyte, null, null), 35, Tick).State.ShouldBe(MemoryState.Short);
        policy.Next(new(4096 * Mebibyte, 3000 * Mebibyte, null, null), 1, Tick).State.ShouldBe(MemoryState.Ample);
    }

    [Fact]
    public void What_is_not_known_refuses_nobody() =>
        new MemoryPolicy().Next(new(null, null, null, null), 99, Tick).ShouldBe(new MemoryDecision(MemoryState.Ample, 1));

    [Fact]
    public void The_share_keeps_its_bounds_and_only_calm_raises_it()
    {
        var looks = Gen.ArrayOf(Gen.Zip(Gen.Elements<long?>(null, 0, 10, 20, 30, 50, 80, 255), Gen.Elements<double?>(null, 0, 19, 21, 100))).ToArbitrary();
        Prop.ForAll(looks, all =>
        {
            var policy = new MemoryPolicy();
            foreach (var (available, pressure) in all)
            {
                var before = policy.Last;
                var now = policy.Next(new(256 * Mebibyte, available * Mebibyte, null, null), pressure, Tick);
                (now.Share is >= MemoryPolicy.LeastShare and <= 1).ShouldBeTrue();
                (now.Share <= before.Share || now.State == MemoryState.Ample).ShouldBeTrue();
            }
        }).QuickCheckThrowOnFailure();
    }

    private static MemoryDecision Next(MemoryPolicy policy, long availableMebibytes) =>
        policy.Next(new(256 * Mebibyte, availableMebibytes * Mebibyte, null, null), null, Tick);
}
