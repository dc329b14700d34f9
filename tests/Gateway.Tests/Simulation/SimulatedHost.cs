using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Aggregator.Gateway.Apply;
using Aggregator.Gateway.Links;
using Aggregator.Gateway.Policy;
using Shouldly;

namespace Aggregator.Gateway.Tests.Simulation;

/// <summary>
/// A host's network by the kernel's rules, as far as the gateway depends on them: what goes with an interface or an address, what is refused
/// because it is there already, what cannot be deleted because it is not.
/// </summary>
internal sealed class SimulatedHost
{
    private readonly List<Found<HostRoute>> _routes = [];
    private readonly List<Found<HostRule>> _rules = [];
    private readonly List<FoundEndpoint> _endpoints = [];
    private HostMptcpLimits _limits = new(2, 0);
    private int _nextIndex = 10;
    private byte _nextId = 1;

    internal SimulatedHost()
    {
        // A user's own, of each kind.
        _routes.Add(new(new HostRoute(HostNumbers.FirstTable + 200, IPNetwork.Parse("10.99.0.0/24"), HostRouteKind.Unreachable), Ours: false));
        _rules.Add(new(new HostRule(AddressFamily.InterNetwork, HostNumbers.SourceRule, 4242, From: IPAddress.Parse("10.99.0.1")), Ours: false));
        _endpoints.Add(new(new HostEndpoint(IPAddress.Parse("192.168.77.1"), 2, "lan0", false), _nextId++, Ours: false));
    }

    internal List<Nic> Nics { get; } = [];

    internal int OurRoutes => _routes.Count(r => r.Ours);

    internal int OurRules => _rules.Count(r => r.Ours);

    internal int OurEndpoints => _endpoints.Count(e => e.Ours);

    internal int Foreign => _routes.Count(r => !r.Ours) + _rules.Count(r => !r.Ours) + _endpoints.Count(e => !e.Ours);

    internal ActualState Actual => new() { Routes = [.. _routes], Rules = [.. _rules], Endpoints = [.. _endpoints], MptcpLimits = _limits };

    internal NetworkView View => new(
        [new(1, "lo", true, Loopback: true), new(2, "lan0", true), .. Nics.Select(n => new ObservedInterface(n.Index, n.Name, n.Carrier))],
        [new(1, IPAddress.Loopback, 8), new(2, IPAddress.Parse("192.168.77.1"), 24), .. Nics.SelectMany(n => n.Addresses.Select(a => new ObservedAddress(n.Index, a, n.Prefix(a))))],
        [
            new(254, IPNetwork.Parse("192.168.77.0/24"), 2, null, 0, 2),
            .. Nics.Where(n => n.DefaultRoute).SelectMany(n => n.Addresses.Select(a => a.AddressFamily).Distinct().Select(f => new ObservedRoute(
                HostNumbers.MainTable, f == AddressFamily.InterNetwork ? IPNetwork.Parse("0.0.0.0/0") : IPNetwork.Parse("::/0"), n.Index, n.Gateway(f), 100, 3))),
        ]);

    internal Nic Add(string name, params IPAddress[] addresses)
    {
        var nic = new Nic(name, _nextIndex++);
        nic.Addresses.AddRange(addresses);
        Nics.Add(nic);
        return nic;
    }

    /// <summary>Routes through it go, in every table; rules and endpoints stay.</summary>
    internal void Remove(Nic nic)
    {
        Nics.Remove(nic);
        _routes.RemoveAll(r => r.Item.Interface == nic.Index);
    }

    /// <summary>IPv4 routes that prefer it as source go with it.</summary>
    internal void RemoveAddress(Nic nic, IPAddress address)
    {
        nic.Addresses.Remove(address);
        _routes.RemoveAll(r => address.Equals(r.Item.Source));
    }

    /// <summary>As if an administrator, or another program, had done it.</summary>
    internal void LoseSomethingOfOurs(Random random)
    {
        switch (random.Next(3))
        {
            case 0 when _routes.FindAll(r => r.Ours) is { Count: > 0 } routes:
                _routes.Remove(routes[random.Next(routes.Count)]);
                break;
            case 1 when _rules.FindAll(r => r.Ours) is { Count: > 0 } rules:
                _rules.Remove(rules[random.Next(rules.Count)]);
                break;
            case 2 when _endpoints.FindAll(e => e.Ours) is { Count: > 0 } endpoints:
                _endpoints.Remove(endpoints[random.Next(endpoints.Count)]);
                break;
        }
    }

    internal void Execute(HostOperation operation)
    {
        switch (operation)
        {
            case HostOperation.AddRoute(var route):
                _ = _routes.Exists(r => r.Item.Key == route.Key) ? throw Refused("EEXIST", operation) : 0;
                if (route.Interface > 1)
                {
                    Nic nic = Nics.Find(n => n.Index == route.Interface).ShouldNotBeNull("ENODEV");
                    if (route.Source is { } source)
                    {
                        _ = nic.Addresses.Contains(source) ? 0 : throw Refused("EINVAL: the preferred source is no address of ours", operation);
                    }
                }

                _routes.Add(new(route, Ours: true));
                break;
            case HostOperation.DeleteRoute(var route):
                _routes.RemoveAll(r => r.Ours && r.Item.Equals(route)).ShouldBe(1, "ESRCH");
                break;
            case HostOperation.AddRule(var rule):
                _ = _rules.Exists(r => r.Item == rule) ? throw Refused("EEXIST", operation) : 0;
                _rules.Add(new(rule, Ours: true));
                break;
            case HostOperation.DeleteRule(var rule):
                _rules.RemoveAll(r => r.Ours && r.Item == rule).ShouldBe(1, "ENOENT");
                break;
            case HostOperation.AddEndpoint(var endpoint):
                _ = _endpoints.Exists(e => e.Item.Address.Equals(endpoint.Address)) ? throw Refused("EEXIST", operation) : 0;
                _endpoints.Count(e => e.Ours).ShouldBeLessThan(HostPolicy.MaxEndpoints, "ERANGE");
                _endpoints.Add(new(endpoint, FreeId(), Ours: true));
                break;
            case HostOperation.ChangeEndpoint(var endpoint, var id):
                int at = _endpoints.FindIndex(e => e.Id == id && e.Ours);
                at.ShouldBeGreaterThanOrEqualTo(0, "ENOENT");
                _endpoints[at] = _endpoints[at] with { Item = _endpoints[at].Item with { Backup = endpoint.Backup } };
                break;
            case HostOperation.DeleteEndpoint(_, var id):
                _endpoints.RemoveAll(e => e.Ours && e.Id == id).ShouldBe(1, "EINVAL");
                break;
            case HostOperation.SetLimits(var limits, var before):
                before.ShouldBe(_limits);
                _limits = limits;
                break;
            default:
                throw new InvalidOperationException(operation.ToString());
        }
    }

    private static ShouldAssertException Refused(string errno, HostOperation operation) => new($"{operation}: {errno}");

    private byte FreeId()
    {
        while (_endpoints.Exists(e => e.Id == _nextId) || _nextId == 0)
        {
            _nextId++;
        }

        return _nextId++;
    }

    /// <summary>One interface and the line behind it.</summary>
    internal sealed class Nic(string name, int index)
    {
        internal string Name { get; set; } = name;

        internal int Index { get; } = index;

        internal bool Carrier { get; set; } = true;

        internal bool DefaultRoute { get; set; } = true;

        internal List<IPAddress> Addresses { get; } = [];

        internal int RouterNumber { get; set; } = 1;

        /// <summary>Nothing comes back.</summary>
        internal bool Dead { get; set; }

        internal double Loss { get; set; }

        internal TimeSpan RoundTrip { get; set; } = TimeSpan.FromMilliseconds(20);

        internal int Prefix(IPAddress address) => address.AddressFamily == AddressFamily.InterNetwork ? 24 : 64;

        internal IPAddress? Gateway(AddressFamily family)
        {
            if (Addresses.Find(a => a.AddressFamily == family) is not { } own)
            {
                return null;
            }

            byte[] bytes = own.GetAddressBytes();
            bytes[^1] = (byte)RouterNumber;
            return new IPAddress(bytes);
        }
    }
}
