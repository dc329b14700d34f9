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
internal sealed class SimulatedDay
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

    internal SimulatedDay(int seed, string stateDirectory)
    {
        _random = new Random(seed);
        bool named = _random.Next(2) == 0;
        _config = Home.Config with
        {
            State = stateDirectory,
            Carrier = _random.Next(4) == 0 ? GatewayConfig.TrunkCarrier : GatewayConfig.MptcpCarrier,
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
            _host.Actual.Endpoints.Any(e => e.Ours && e.Item.Interface == link.Index).ShouldBe(link.Usable && reached, link.ToString());
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

    /// <summary>As <see cref="PathProber"/> does.</summary>
    private void Follow()
    {
        var wanted = _monitor.Current.Links.Select(l => LinkHealth.PathOf(l, _targets)).OfType<ProbePath>().ToHashSet();
        foreach (var (path, probe) in _probes.Where(p => !wanted.Contains(p.Key)).ToArray())
        {
            _probes.Remove(path);
            probe.Ended = true;
            _monitor.Report(path, null);
        }

        foreach (var path in wanted.Where(p => !_probes.ContainsKey(p)))
        {
            var probe = new Probe(path, new PathTracker(_config.Probe));
            _probes.Add(path, probe);
            Schedule(TimeSpan.Zero, () => Ask(probe));
        }
    }

    private void Ask(Probe probe)
    {
        if (probe.Ended)
        {
            return;
        }

        Probes++;
        var nic = _host.Nics.Find(n => n.Index == probe.Path.Index);
        bool comesBack = nic is { Dead: false, Carrier: true } && nic.Addresses.Contains(probe.Path.Source) && _random.NextDouble() >= nic.Loss;
        TimeSpan roundTrip = nic is null ? TimeSpan.Zero : nic.RoundTrip * (0.9 + (0.2 * _random.NextDouble()));
        TimeSpan patience = probe.Tracker.AnswerTime;
        if (!comesBack || roundTrip > patience)
        {
            Schedule(patience, () => Told(probe, () => probe.Tracker.Missed(trafficArrives: false, "no answer")));
        }

        if (comesBack)
        {
            Schedule(roundTrip, () => Told(probe, () => probe.Tracker.Answered(roundTrip)));
        }

        if (!comesBack && _random.Next(3) == 0)
        {
            // Under load the silence is heard; now and then it is none.
            probe.Tracker.FellSilent();
        }

        Schedule(probe.Tracker.Interval, () => Ask(probe));
    }

    private void Told(Probe probe, Action tell)
    {
        if (probe.Ended)
        {
            return;
        }

        tell();
        var health = probe.Tracker.Health;
        if (probe.Reported is not { } before || before.State != health.State || before.Reason != health.Reason || before.Checking != health.Checking || before.Impaired != health.Impaired)
        {
            probe.Reported = health;
            _monitor.Report(probe.Path, health);
        }
    }

    private void Fault()
    {
        Faults++;
        Schedule(TimeSpan.FromSeconds(1 + (_random.NextDouble() * 40)), Fault);
        var nic = _host.Nics.Count == 0 ? null : _host.Nics[_random.Next(_host.Nics.Count)];
        switch (_random.Next(16))
        {
            case 0 or 1 when nic is not null:
                nic.Dead = true;
                Changed(nic);
                Later(1, 60, nic, () => nic.Dead = false);
                break;
            case 2 when nic is not null:
                nic.Carrier = false;
                Changed(nic);
                Later(0.2, 30, nic, () => nic.Carrier = true);
                break;
            case 3 when nic is not null:
                _host.Remove(nic);
                Schedule(TimeSpan.FromSeconds(_random.NextDouble() * 60), () => Return(nic));
                break;
            case 4 when nic is not null && _host.Nics.All(n => n.Name != nic.Name + "x"):
                // A rename is a new name of the same index; the old one comes back later.
                string name = nic.Name;
                nic.Name = name + "x";
                Changed(nic);
                Schedule(TimeSpan.FromSeconds(1 + (19 * _random.NextDouble())), () => Rename(nic, name));
                break;
            case 5 when nic is { Addresses.Count: > 0 }:
                Readdress(nic);
                break;
            case 6 when nic is not null:
                nic.RouterNumber = 3 - nic.RouterNumber;
                Changed(nic);
                break;
            case 7 when nic is not null:
                nic.DefaultRoute = false;
                Changed(nic);
                Later(1, 30, nic, () => nic.DefaultRoute = true);
                break;
            case 8 when nic is not null:
                nic.Loss = _random.NextDouble() * 0.7;
                Changed(nic);
                Later(5, 60, nic, () => nic.Loss = 0);
                break;
            case 9 when nic is not null:
                nic.RoundTrip = TimeSpan.FromMilliseconds(10 + (_random.NextDouble() * 4000));
                Changed(nic);
                Later(5, 60, nic, () => nic.RoundTrip = TimeSpan.FromMilliseconds(20));
                break;
            case 10 when nic is not null:
                for (int i = 0; i < 20; i++)
                {
                    bool dead = i % 2 == 0;
                    Schedule(i * TimeSpan.FromMilliseconds(700), () =>
                    {
                        nic.Dead = dead;
                        Changed(nic);
                    });
                }

                break;
            case 11:
                foreach (var each in _host.Nics)
                {
                    each.Dead = true;
                    Changed(each);
                    Later(20, 20, each, () => each.Dead = false);
                }

                break;
            case 12:
                _targets = _random.Next(12) switch { 0 or 1 => [VpsV6, VpsV4], 2 => [VpsV6], 3 => [], _ => [VpsV4] };
                foreach (var each in _host.Nics)
                {
                    Changed(each);
                }

                _monitor.SetTargets(_targets);
                break;
            case 13 when _monitor.Current.Links is { IsEmpty: false } links:
                Link link = links[_random.Next(links.Length)];
                _monitor.TrySetRole(link.Name, Role());
                _changedAt[link.Interface] = _time.Now;
                break;
            case 14:
                _host.LoseSomethingOfOurs(_random);
                _dirty = true;
                break;
            case 15:
                _monitor.SetOverlays(_random.Next(2) == 0 || _monitor.Current.Links.IsEmpty
                    ? ImmutableDictionary<string, LinkOverlay>.Empty
                    : ImmutableDictionary<string, LinkOverlay>.Empty.Add(_monitor.Current.Links[0].Name, new LinkOverlay(Role: Role(), RoleReason: "quota")));
                foreach (var each in _host.Nics)
                {
                    Changed(each);
                }

                break;
        }

        _monitor.Show(_host.View);
    }

    private void Later(double least, double most, SimulatedHost.Nic nic, Action change) => Schedule(
        TimeSpan.FromSeconds(least + (_random.NextDouble() * (most - least))),
        () =>
        {
            string before = nic.Name;
            change();
            Changed(nic);
            _changedAt[before] = _time.Now;
            _monitor.Show(_host.View);
        });

    private void Readdress(SimulatedHost.Nic nic)
    {
        IPAddress old = nic.Addresses[_random.Next(nic.Addresses.Count)];
        byte[] bytes = old.GetAddressBytes();
        bytes[^1] = (byte)(10 + (_address++ % 200));
        var fresh = new IPAddress(bytes);
        bool overlap = _random.Next(2) == 0;
        if (overlap && !nic.Addresses.Contains(fresh))
        {
            nic.Addresses.Add(fresh);
        }

        _host.RemoveAddress(nic, old);
        Changed(nic);
        if (!overlap)
        {
            // A moment without any, as DHCP clients do it.
            Later(0.1, 3, nic, () => nic.Addresses.Add(fresh));
        }
    }

    private LinkRole Role() => _random.Next(6) switch { 0 => LinkRole.Off, 1 => LinkRole.Backup, _ => LinkRole.Active };

    private void Rename(SimulatedHost.Nic nic, string name)
    {
        if (_host.Nics.Exists(n => n.Name == name))
        {
            // Taken meanwhile.
            Schedule(TimeSpan.FromSeconds(10), () => Rename(nic, name));
            return;
        }

        Changed(nic);
        nic.Name = name;
        Changed(nic);
        _monitor.Show(_host.View);
    }

    /// <summary>With a new index, and the line behind it as it is by then.</summary>
    private void Return(SimulatedHost.Nic gone)
    {
        if (_host.Nics.Exists(n => n.Name == gone.Name))
        {
            Schedule(TimeSpan.FromSeconds(10), () => Return(gone));
            return;
        }

        if (gone.Addresses.Count == 0)
        {
            gone.Addresses.Add(IPAddress.Parse($"10.11.{1 + _random.Next(200)}.2"));
        }

        Changed(_host.Add(gone.Name, [.. gone.Addresses]));
        _monitor.Show(_host.View);
    }

    private sealed class Probe(ProbePath path, PathTracker tracker)
    {
        internal ProbePath Path { get; } = path;

        internal PathTracker Tracker { get; } = tracker;

        internal PathHealth? Reported { get; set; }

        internal bool Ended { get; set; }
    }
}
