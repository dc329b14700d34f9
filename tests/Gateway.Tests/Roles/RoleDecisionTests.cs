using System.Collections.Immutable;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Links;
using Aggregator.Gateway.Roles;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Roles;

public sealed class RoleDecisionTests
{
    private static readonly DateTime Monday = new(2026, 11, 23, 10, 0, 0);
    private static readonly Quota Small = new(100, Then: LinkRole.Backup);

    [Fact]
    public void Quota_schedule_cost_and_load_decide_in_this_order()
    {
        Decide(Decide(), full: false).ShouldBeEmpty();

        // Dearer than the cheapest: a backup. Gone, it makes nobody dear.
        var dear = Limits("b", new LinkLimits { Cost = 5, BackupWhenFull = true });
        Decide(dear, full: false)["b"].ShouldBe((LinkRole.Backup, "it costs more than a"));
        Decide(dear, full: true)["b"].Role.ShouldBe(LinkRole.Active);
        RoleDecision.Decide([Link("a") with { Index = 0 }, Link("b")], dear, ImmutableDictionary<string, QuotaReading>.Empty, Monday, false).ShouldBeEmpty();

        // What a quota took, load does not give back.
        var spent = ImmutableDictionary<string, QuotaReading>.Empty.Add("b", new QuotaReading(Small, 120, default, default, true));
        var limits = Limits("b", new LinkLimits { BackupWhenFull = true, Quota = Small });
        RoleDecision.Decide([Link("a"), Link("b")], limits, spent, Monday, full: true)["b"].Role.ShouldBe(LinkRole.Backup);
        // And a quota's end makes no link that is off a backup.
        RoleDecision.Decide([Link("a"), Link("b") with { AskedRole = LinkRole.Off }], limits, spent, Monday, full: true).ShouldBeEmpty();

        var nights = Limits("b", new LinkLimits { Schedule = [Rule("mon-fri", "20:00", "06:00", LinkRole.Off)] });
        RoleDecision.Decide([Link("a"), Link("b")], nights, ImmutableDictionary<string, QuotaReading>.Empty, Monday, false).ShouldBeEmpty();
        RoleDecision.Decide([Link("a"), Link("b")], nights, ImmutableDictionary<string, QuotaReading>.Empty, Monday.AddHours(11), false)["b"].Role.ShouldBe(LinkRole.Off);
    }

    [Theory]
    [InlineData("mon-fri", "08:00", "18:00", "2026-11-23T08:00", true)]
    [InlineData("mon-fri", "08:00", "18:00", "2026-11-23T18:00", false)]
    [InlineData("mon-fri", "08:00", "18:00", "2026-11-22T12:00", false)]
    [InlineData("fri", "22:00", "06:00", "2026-11-28T05:59", true)]
    [InlineData("fri", "22:00", "06:00", "2026-11-28T06:00", false)]
    [InlineData("fri", "22:00", "06:00", "2026-11-27T05:00", false)]
    [InlineData("sat-mon", "00:00", "24:00", "2026-11-23T23:59", true)]
    [InlineData("sat-mon", "00:00", "24:00", "2026-11-24T00:00", false)]
    [InlineData("daily", "23:00", "01:00", "2026-11-24T00:30", true)]
    public void A_rule_holds_from_its_beginning_to_before_its_end(string days, string from, string to, string now, bool holds) =>
        (Schedules.At([Rule(days, from, to, LinkRole.Off)], DateTime.Parse(now, System.Globalization.CultureInfo.InvariantCulture)) is not null).ShouldBe(holds);

    [Fact]
    public void Full_is_nearly_all_that_a_line_can_do_with_its_queue_filling()
    {
        var fullness = new Fullness();
        LineLoad[] idle = [Load(1e4, 20)], busy = [Load(2.4e6, 60)], half = [Load(1.0e6, 22)];
        fullness.Look(idle, 0).ShouldBeFalse();
        fullness.Look(busy, 0).ShouldBeFalse("a moment");
        fullness.Look(busy, 0).ShouldBeTrue();
        for (int i = 0; i < 9; i++)
        {
            fullness.Look(half, 0).ShouldBeTrue("it may go on");
        }

        fullness.Look(half, 0).ShouldBeFalse();
        fullness.Look(half, 0).ShouldBeFalse("no queue, and far from what it moved before");
        var capped = new Fullness();
        capped.Look([Load(0.95e6, 20, cap: 1e6)], 0);
        capped.Look([Load(0.95e6, 20, cap: 1e6)], 0).ShouldBeTrue("its cap");
        new Fullness().Look([], 0).ShouldBeFalse();
    }

    [Fact]
    public void Lines_without_a_queue_are_tried_and_the_backups_stay_if_they_bring_more()
    {
        var helps = new Fullness();
        int looks = 0;
        while (!helps.Look([Load(2.4e6, 20)], 0))
        {
            (++looks).ShouldBeLessThan(12);
        }

        for (int i = 0; i < 30; i++)
        {
            helps.Look([Load(2.4e6, 20)], 1.2e6).ShouldBeTrue("more gets through");
        }

        // A server that gives no more than this: a trial now and then, ever more seldom.
        var server = new Fullness();
        int[] helped = [.. Enumerable.Range(0, 7200).Select(_ => server.Look([Load(server.IsFull ? 1.2e6 : 2.4e6, 20)], server.IsFull ? 1.2e6 : 0) ? 1 : 0)];
        helped.Sum().ShouldBeInRange(5, 60);
    }

    private static LineLoad Load(double down, double rtt, double? cap = null) => new("a", down, 0, rtt, cap, null);

    private static ScheduleRule Rule(string days, string from, string to, LinkRole role) =>
        new(LinkLimitsReader.Days(days).Value, LinkLimitsReader.Time(from).Value, LinkLimitsReader.Time(to).Value, role);

    private static ImmutableDictionary<string, (LinkRole Role, string? Reason)> Decide(ImmutableDictionary<string, LinkLimits> limits, bool full) =>
        RoleDecision.Decide([Link("a"), Link("b")], limits, ImmutableDictionary<string, QuotaReading>.Empty, Monday, full);

    private static ImmutableDictionary<string, LinkLimits> Decide() => ImmutableDictionary<string, LinkLimits>.Empty;

    private static ImmutableDictionary<string, LinkLimits> Limits(string name, LinkLimits limits) => Decide().Add(name, limits);

    private static Link Link(string name) => new() { Name = name, Interface = name, Role = LinkRole.Active, AskedRole = LinkRole.Active, Slot = 0, Index = 3 };
}
