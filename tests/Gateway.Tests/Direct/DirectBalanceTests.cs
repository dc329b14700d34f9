using System.Collections.Immutable;
using System.Net;
using Aggregator.Gateway.Direct;
using Aggregator.Gateway.Tests.Roles;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Direct;

public sealed class DirectBalanceTests
{
    private static readonly IPAddress Client = IPAddress.Parse("192.168.77.2");
    private readonly WallClock _clock = new(DateTimeOffset.UnixEpoch);

    [Fact]
    public void Connections_follow_the_weights_whoever_makes_them() => Prop.ForAll(
        Gen.ArrayOf(Gen.Choose(1, 9)).Where(w => w.Length is > 0 and < 7).ToArbitrary(),
        Gen.Choose(1, 300).ToArbitrary(),
        (weights, clients) =>
        {
            var ways = Ways(weights);
            var balance = new DirectBalance(_clock, null, TimeSpan.FromMinutes(1));
            int[] opened = new int[weights.Length];
            for (int i = 0; i < 1000; i++)
            {
                opened[ways.IndexOf(balance.Pick(new IPAddress(i % clients), ways))]++;
            }

            for (int i = 0; i < weights.Length; i++)
            {
                // A few in flight of each client that stays where it is.
                Math.Abs(opened[i] - (1000.0 * weights[i] / weights.Sum())).ShouldBeLessThanOrEqualTo((DirectBalance.LooseLead + 1) * weights.Length);
            }
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void A_page_stays_together_and_a_stated_time_holds_always()
    {
        var ways = Ways([3, 2]);
        var loose = new DirectBalance(_clock, null, TimeSpan.FromMinutes(1));
        Enumerable.Range(0, DirectBalance.LooseLead).Select(_ => loose.Pick(Client, ways).Link).Distinct().Count().ShouldBe(1);

        var strict = new DirectBalance(_clock, TimeSpan.FromMinutes(10), TimeSpan.FromMinutes(1));
        string first = strict.Pick(Client, ways).Link;
        for (int i = 0; i < 1000; i++)
        {
            _clock.Advance(TimeSpan.FromMinutes(9));
            strict.Pick(Client, ways).Link.ShouldBe(first);
        }

        // A lost WAN pins its clients anew.
        string other = strict.Pick(Client, [.. ways.Where(w => w.Link != first)]).Link;
        other.ShouldNotBe(first);
        strict.Pick(Client, ways).Link.ShouldBe(other);
        _clock.Advance(TimeSpan.FromMinutes(11));
        strict.Pick(Client, ways).Link.ShouldBe(first, "the time is over, and the first is far behind");
    }

    [Fact]
    public void Silent_ways_are_left_out_for_a_while_unless_none_is_left()
    {
        var faults = new DirectFaults(_clock);
        var ways = Ways([1, 1]);
        faults.Note("w1", answered: true, first: "w0");
        faults.Trusted(ways).ShouldBe(ways, "once may be the target's");
        faults.Note("w1", answered: true, first: "w0");
        faults.Trusted(ways).Select(w => w.Link).ShouldBe(["w1"]);
        faults.Trusted([ways[0]]).ShouldBe([ways[0]]);
        _clock.Advance(TimeSpan.FromSeconds(6));
        faults.Trusted(ways).ShouldBe(ways);
        faults.Note("w0", answered: true, first: "w0");
        faults.Note("w1", answered: false, first: "w0");
        faults.Trusted(ways).ShouldBe(ways);
    }

    private static ImmutableArray<DirectWay> Ways(int[] weights) =>
        [.. weights.Select((w, i) => new DirectWay($"w{i}", $"wan{i}", new IPAddress(i), w))];
}
