using System.Collections.Immutable;
using System.Net;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Links;
using Aggregator.Gateway.Policy;

namespace Aggregator.Gateway.Tests.Simulation;

/// <content>What goes wrong, and how it comes back.</content>
internal sealed partial class SimulatedDay
{
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
}
