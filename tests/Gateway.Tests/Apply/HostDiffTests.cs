using Aggregator.Gateway.Links;
using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Aggregator.Gateway.Apply;
using Aggregator.Gateway.Policy;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Apply;

/// <summary>Against a model of the host: it takes operations by the kernel's rules (no doubles, deletes hit, ids are the kernel's).</summary>
public sealed class HostDiffTests
{
    [Fact]
    public void From_any_host_the_operations_lead_to_what_is_wanted_and_then_there_are_none() =>
        Prop.ForAll(Desired().ToArbitrary(), Actual().ToArbitrary(), (desired, actual) =>
        {
            var host = new ModelHost(actual);
            foreach (var operation in HostDiff.Compute(desired, actual))
            {
                host.Execute(operation);
            }

            var after = host.State;
            HostDiff.Compute(desired, after).ShouldBeEmpty();

            // All that is wanted is there, from us or from somebody else; of ours there is nothing more.
            foreach (var route in desired.Routes.DistinctBy(r => r.Key))
            {
                var found = after.Routes.Where(r => r.Item.Key == route.Key).ShouldHaveSingleItem();
                (found.Ours ? found.Item : route).ShouldBe(route);
            }

            after.Routes.Where(r => r.Ours).ShouldAllBe(r => desired.Routes.Contains(r.Item));
            desired.Rules.ShouldAllBe(r => after.Rules.Any(a => a.Item == r));
            after.Rules.Where(r => r.Ours).ShouldAllBe(r => desired.Rules.Contains(r.Item));
            foreach (var endpoint in desired.Endpoints)
            {
                var found = after.Endpoints.Where(e => e.Item.Address.Equals(endpoint.Address)).ShouldHaveSingleItem();
                if (found.Ours)
                {
                    (found.Item.Interface, found.Item.Backup).ShouldBe((endpoint.Interface, endpoint.Backup));
                }
            }

            after.Endpoints.Where(e => e.Ours).ShouldAllBe(e => desired.Endpoints.Any(d => d.Address.Equals(e.Item.Address)));
            after.MptcpLimits!.Value.Subflows.ShouldBe(Math.Max(desired.MptcpLimits!.Value.Subflows, actual.MptcpLimits!.Value.Subflows));

            // Nothing foreign was touched.
            after.Routes.Where(r => !r.Ours).ShouldBe(actual.Routes.Where(r => !r.Ours), ignoreOrder: true);
            after.Rules.Where(r => !r.Ours).ShouldBe(actual.Rules.Where(r => !r.Ours), ignoreOrder: true);
            after.Endpoints.Where(r => !r.Ours).ShouldBe(actual.Endpoints.Where(r => !r.Ours), ignoreOrder: true);
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Traffic_leaves_a_dead_WAN_before_anything_else_and_enters_a_new_one_last()
    {
        var dead = new HostEndpoint(IPAddress.Parse("10.0.0.1"), 3, "", false);
        var desired = new DesiredState
        {
            Endpoints = [new HostEndpoint(IPAddress.Parse("10.0.0.2"), 4, "wan2", false)],
            Routes = [Route(0, "0.0.0.0/0", "10.0.0.9"), Route(0, "10.0.0.0/24", null)],
            Rules = [new HostRule(AddressFamily.InterNetwork, 10610, HostNumbers.FirstTable, IPAddress.Parse("10.0.0.2"))],
        };

        HostDiff.Compute(desired, new ActualState { Endpoints = [new FoundEndpoint(dead, 1, true)] }).Select(o => o.ToString()).ShouldBe([
            "ip mptcp endpoint del 10.0.0.1 dev #3 subflow",
            "ip route add 10.0.0.0/24 dev wan table 0xa600",
            "ip route add default via 10.0.0.9 dev wan table 0xa600",
            "ip rule add priority 10610 from 10.0.0.2 lookup 0xa600",
            "ip mptcp endpoint add 10.0.0.2 dev wan2#4 subflow",
        ]);
    }

    private static HostRoute Route(int slot, string destination, string? gateway) => new(
        HostNumbers.FirstTable + slot, IPNetwork.Parse(destination), HostRouteKind.Unicast, 3, "wan", gateway is null ? null : IPAddress.Parse(gateway));

    private static Gen<HostRoute> AnyRoute() =>
        from slot in Gen.Choose(0, 2)
        from destination in Gen.Elements("0.0.0.0/0", "10.0.0.0/24", "192.168.0.0/16")
        from kind in Gen.Elements(HostRouteKind.Unicast, HostRouteKind.Throw)
        from gateway in Gen.Elements("10.0.0.1", "10.0.0.2")
        from index in Gen.Choose(3, 4)
        select kind == HostRouteKind.Throw
            ? new HostRoute(HostNumbers.FirstTable + slot, IPNetwork.Parse(destination), kind)
            : Route(slot, destination, gateway) with { Interface = index };

    private static Gen<HostRule> AnyRule() =>
        from slot in Gen.Choose(0, 2)
        from last in Gen.Choose(1, 4)
        select new HostRule(AddressFamily.InterNetwork, HostNumbers.SourceRule, HostNumbers.FirstTable + slot, IPAddress.Parse($"10.0.0.{last}"));

    private static Gen<HostEndpoint> AnyEndpoint() =>
        from last in Gen.Choose(1, 5)
        from index in Gen.Choose(3, 4)
        from backup in Gen.Elements(true, false)
        select new HostEndpoint(IPAddress.Parse($"10.0.0.{last}"), index, "", backup);

    private static Gen<DesiredState> Desired() =>
        from routes in AnyRoute().ListOf()
        from rules in AnyRule().ListOf()
        from endpoints in AnyEndpoint().ListOf()
        select new DesiredState
        {
            Routes = [.. routes.DistinctBy(r => r.Key)],
            Rules = [.. rules.Distinct()],
            Endpoints = [.. endpoints.DistinctBy(e => e.Address)],
            MptcpLimits = new HostMptcpLimits(8, 8),
        };

    private static Gen<ActualState> Actual() =>
        from routes in AnyRoute().ListOf()
        from rules in AnyRule().ListOf()
        from endpoints in AnyEndpoint().ListOf()
        from ours in Gen.ArrayOf(Gen.Elements(true, false), 100)
        from subflows in Gen.Choose(0, 64)
        select new ActualState
        {
            Routes = [.. routes.DistinctBy(r => r.Key).Select((r, i) => new Found<HostRoute>(r, ours[i % 33]))],
            Rules = [.. rules.Distinct().Select((r, i) => new Found<HostRule>(r, ours[33 + (i % 33)]))],
            Endpoints = [.. endpoints.DistinctBy(e => e.Address).Select((e, i) => new FoundEndpoint(e, (byte)(i + 1), ours[66 + (i % 33)]))],
            MptcpLimits = new HostMptcpLimits(subflows, 8),
        };

    private sealed class ModelHost(ActualState start)
    {
        private readonly List<Found<HostRoute>> _routes = [.. start.Routes];
        private readonly List<Found<HostRule>> _rules = [.. start.Rules];
        private readonly List<FoundEndpoint> _endpoints = [.. start.Endpoints];
        private HostMptcpLimits? _limits = start.MptcpLimits;
        private byte _nextId = 100;

        internal ActualState State => new() { Routes = [.. _routes], Rules = [.. _rules], Endpoints = [.. _endpoints], MptcpLimits = _limits };

        internal void Execute(HostOperation operation)
        {
            switch (operation)
            {
                case HostOperation.AddRoute(var route):
                    _routes.ShouldNotContain(r => r.Item.Key == route.Key);
                    _routes.Add(new Found<HostRoute>(route, true));
                    break;
                case HostOperation.DeleteRoute(var route):
                    _routes.RemoveAll(r => r.Ours && r.Item.Equals(route)).ShouldBe(1);
                    break;
                case HostOperation.AddRule(var rule):
                    _rules.ShouldNotContain(r => r.Item == rule);
                    _rules.Add(new Found<HostRule>(rule, true));
                    break;
                case HostOperation.DeleteRule(var rule):
                    _rules.RemoveAll(r => r.Ours && r.Item == rule).ShouldBe(1);
                    break;
                case HostOperation.AddEndpoint(var endpoint):
                    _endpoints.ShouldNotContain(e => e.Item.Address.Equals(endpoint.Address));
                    _endpoints.Add(new FoundEndpoint(endpoint, _nextId++, true));
                    break;
                case HostOperation.ChangeEndpoint(var endpoint, var id):
                    int at = _endpoints.FindIndex(e => e.Id == id);
                    _endpoints[at].Ours.ShouldBeTrue();
                    _endpoints[at] = _endpoints[at] with { Item = _endpoints[at].Item with { Backup = endpoint.Backup } };
                    break;
                case HostOperation.DeleteEndpoint(_, var id):
                    _endpoints.RemoveAll(e => e.Ours && e.Id == id).ShouldBe(1);
                    break;
                case HostOperation.SetLimits(var limits, var before):
                    before.ShouldBe(_limits!.Value);
                    _limits = limits;
                    break;
                default:
                    throw new InvalidOperationException(operation.ToString());
            }
        }
    }
}
