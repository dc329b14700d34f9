using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Aggregator.Gateway.Apply;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Links;
using Aggregator.Gateway.Policy;
using Aggregator.Gateway.Tests.Policy;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;

namespace Aggregator.Gateway.Tests.Simulation;

/// <summary>
/// The gateway's decisions over a host and lines that misbehave at random: the real <see cref="LinkMonitor"/>, <see cref="PathTracker"/>s,
/// <see cref="HostPolicy"/> and <see cref="HostDiff"/>; simulated are the clock, the kernel and what becomes of a probe on its way.
/// After each step the host is what is wanted, and nothing else of ours is there.
/// </summary>
internal sealed partial class SimulatedDay
{
    /// <summary>An outage that lasted so long must be known: two quick probes' time beyond the slowest answer that is waited for.</summary>
    private static readonly TimeSpan Known = TimeSpan.FromSeconds(12);

    /// <summary>And a line that was well for so long must be used, whatever it did before.</summary>
    private static readonly TimeSpan Forgiven = TimeSpan.FromSeconds(25);

    private static readonly IPEndPoint VpsV4 = new(IPAddress.Parse("198.51.100.2"), 7443), VpsV6 = new(IPAddress.Parse("2001:db8:100::2"), 7443);

    private readonly Random _random;
    private readonly SimulatedTime _time = new();
    private readonly SimulatedHost _host = new();
    private readonly GatewayConfig _config;
    private readonly LinkMonitor _monitor;
    private readonly Dictionary<ProbePath, Probe> _probes = [];
    private readonly PriorityQueue<Action, TimeSpan> _events = new();
    private readonly Dictionary<string, TimeSpan> _changedAt = [];
    private ImmutableArray<IPEndPoint> _targets = [VpsV4];
    private bool _dirty = true;
    private int _address = 10;

    /// <summary>What the latest decision wants of connections.</summary>
    private ImmutableArray<HostEndpoint> _paths = [];

    internal SimulatedDay(int seed, string stateDirectory)
    {
        _random = new Random(seed);
        bool named = _random.Next(2) == 0;
        _config = Home.Config with
        {
            State = stateDirectory,
            Carrier = _random.Next(4) == 0 ? GatewayConfig.TrunkCarrier : GatewayConfig.MptcpCarrier,
            PathsByKernel = _random.Next(2) == 0,
            Wans = named ? [.. Enumerable.Range(1, 4).Select(i => new WanConfig($"wan{i}", $"line{i}", i == 4 ? LinkRole.Backup : LinkRole.Active, null))] : null,
        };
        _monitor = new LinkMonitor(_config, _time, NullLogger<LinkMonitor>.Instance);
        _monitor.Changed += () => _dirty = true;
        for (int i = 1; i <= 4; i++)
        {
            List<IPAddress> addresses = [IPAddress.Parse($"10.11.{i}.2")];
            if (i % 2 == 0)
            {
                addresses.Add(IPAddress.Parse($"2001:db8:11:{i}::2"));
            }

            Changed(_host.Add($"wan{i}", [.. addresses]));
        }
    }

    internal int Faults { get; private set; }

    internal int Decisions { get; private set; }

    internal int Operations { get; private set; }

    internal int Probes { get; private set; }

    internal void Run(TimeSpan length)
    {
        _monitor.SetTargets(_targets);
        _monitor.Show(_host.View);
        Settle();
        Schedule(TimeSpan.FromSeconds(5), Fault);
        while (true)
        {
            TimeSpan next = _events.TryPeek(out _, out TimeSpan at) ? at : length;
            if (_time.Next is { } timer && timer < next)
            {
                next = timer;
            }

            if (next >= length)
            {
                break;
            }

            _time.AdvanceTo(next);
            while (_events.TryPeek(out Action? act, out at) && at <= _time.Now)
            {
                _events.Dequeue();
                act();
            }

            if (_dirty)
            {
                Settle();
            }
        }
    }

    /// <summary>As `down`: nothing of ours is left, and what was others' is.</summary>
    internal async Task EndAsync(int foreign)
    {
        await _monitor.DisposeAsync();
        foreach (var operation in HostDiff.Compute(DesiredState.Nothing, _host.Actual))
        {
            _host.Execute(operation);
        }

        (_host.OurRoutes, _host.OurRules, _host.OurEndpoints).ShouldBe((0, 0, 0));
        _host.Foreign.ShouldBe(foreign);
        _time.Timers.ShouldBe(0);
    }

    internal int Foreign => _host.Foreign;

    private void Schedule(TimeSpan after, Action act) => _events.Enqueue(act, _time.Now + after);

    private void Changed(SimulatedHost.Nic nic) => _changedAt[nic.Name] = _time.Now;

    /// <summary>What a step has changed is brought to the host, and then looked at.</summary>
    private void Settle()
    {
        _dirty = false;
        Follow();
        DesiredState desired = HostPolicy.Decide(new PolicyInput
        {
            Config = _config,
            Links = _monitor.Current,
            NodeFamilies = [.. _targets.Select(t => t.AddressFamily).Distinct()],
            Host = Home.Facts with { PathManagerByConnection = true },
            TransparentV4 = new IPEndPoint(IPAddress.Loopback, 12345),
        });
        foreach (var operation in HostDiff.Compute(desired, _host.Actual))
        {
            _host.Execute(operation);
            Operations++;
        }

        Decisions++;
        _paths = desired.Paths;
        HostDiff.Compute(desired, _host.Actual).ShouldBeEmpty();
        Check(desired);
    }

    private void Check(DesiredState desired)
    {
        _host.OurRoutes.ShouldBe(desired.Routes.DistinctBy(r => r.Key).Count());
        _host.OurRules.ShouldBe(desired.Rules.Distinct().Count());
        _host.OurEndpoints.ShouldBeLessThanOrEqualTo(HostPolicy.MaxEndpoints);
        foreach (var endpoint in _host.Actual.Endpoints.Where(e => e.Ours))
        {
            _host.Nics.Exists(n => n.Index == endpoint.Item.Interface && n.Addresses.Contains(endpoint.Item.Address)).ShouldBeTrue($"{endpoint.Item} leads nowhere");
        }

        foreach (var rule in _host.Actual.Rules.Where(r => r.Ours && r.Item.From is not null))
        {
            _host.Nics.Exists(n => n.Addresses.Contains(rule.Item.From!)).ShouldBeTrue($"{rule.Item} is of an address that nobody has");
        }

        // One probe for each path, one timer at most for what is held back.
        _probes.Count.ShouldBe(_monitor.Current.Links.Count(l => LinkHealth.PathOf(l, _targets) is not null));
        _time.Timers.ShouldBeLessThanOrEqualTo(1);
        foreach (Link link in _monitor.Current.Links)
        {
            link.Slot.ShouldBeLessThan(16, "a table for each name that there ever was, and there were eight");
            CheckJudgement(link);
        }
    }

    /// <summary>What a line has been for long enough is what the gateway takes it for.</summary>
    private void CheckJudgement(Link link)
    {
        if (_host.Nics.Find(n => n.Name == link.Interface) is not { } nic || LinkHealth.PathOf(link, _targets) is null)
        {
            return;
        }

        if (_config.Carrier == GatewayConfig.MptcpCarrier)
        {
            bool reached = _targets.Select(t => t.AddressFamily).Distinct().Any(f => link.NextHop(f) is not null && link.Address(f) is not null);
            IEnumerable<HostEndpoint> paths = _config.PathsByKernel ? _host.Actual.Endpoints.Where(e => e.Ours).Select(e => e.Item) : _paths;
            paths.Any(p => p.Interface == link.Index).ShouldBe(link.Usable && reached, link.ToString());
        }

        TimeSpan since = _time.Now - _changedAt.GetValueOrDefault(nic.Name);
        if (nic.Dead && since > Known)
        {
            link.Usable.ShouldBeFalse($"dead for {since}: {link}");
        }
        else if (nic is { Dead: false, Loss: 0 } && since > Forgiven)
        {
            link.Usable.ShouldBeTrue($"well for {since}: {link}");
        }
    }
}
