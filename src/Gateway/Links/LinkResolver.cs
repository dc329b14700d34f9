using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Aggregator.Gateway.Configuration;

namespace Aggregator.Gateway.Links;

/// <summary>
/// From the kernel's view, the configuration and the memory to links: pure. Health is added later by <see cref="LinkHealth"/>.
/// </summary>
internal static class LinkResolver
{
    /// <summary>A host with more routes than this into its local networks runs a routing daemon; the connected ones then suffice.</summary>
    private const int MaxLocalNetworks = 64;

    internal static (LinkSnapshot Snapshot, LinkMemory Memory) Resolve(GatewayConfig config, NetworkView view, LinkMemory memory)
    {
        var byName = new Dictionary<string, ObservedInterface>(StringComparer.Ordinal);
        foreach (var i in view.Interfaces)
        {
            byName[i.Name] = i;
        }

        var wans = config.Wans ?? Found(config, view, memory);
        memory = WithSlots(memory, wans, byName);

        var links = ImmutableArray.CreateBuilder<Link>(wans.Length);
        foreach (var wan in wans)
        {
            // More WANs than slots: beyond any home, and the configuration's loader bounds it too.
            if (memory.Slots.TryGetValue(wan.Interface, out int slot))
            {
                links.Add(Resolve(wan, slot, byName.GetValueOrDefault(wan.Interface), view, ref memory));
            }
        }

        var wanIndexes = links.Where(l => l.Present).Select(l => l.Index).ToHashSet();
        var snapshot = new LinkSnapshot
        {
            Links = links.ToImmutable(),
            LocalNetworks = LocalNetworks(view, wanIndexes),
            ConnectedNetworks = Sorted(view.Addresses
                .Where(a => !IsLoopback(view, a.Index) && !a.Address.IsIPv6LinkLocal)
                .Select(a => Networks.Of(a.Address, a.PrefixLength))),
            MissingInterfaces = [.. config.Lan.Where(n => !byName.ContainsKey(n))],
        };
        return (snapshot, memory);
    }

    /// <summary>Every interface with a default route that is not the LAN's, and one whose route is still to come back.</summary>
    private static ImmutableArray<WanConfig> Found(GatewayConfig config, NetworkView view, LinkMemory memory)
    {
        var withDefault = view.Routes.Where(IsForeignDefault).Select(r => r.Interface).ToHashSet();
        var names = view.Interfaces
            .Where(i => !i.Loopback && !config.Lan.Contains(i.Name))
            .Where(i => withDefault.Contains(i.Index) || memory.Slots.ContainsKey(i.Name))
            .Select(i => i.Name);
        return
        [
            .. names
                .OrderBy(n => memory.Slots.GetValueOrDefault(n, int.MaxValue))
                .ThenBy(n => n, StringComparer.Ordinal)
                .Select(n => new WanConfig(n, n, LinkRole.Active, null)),
        ];
    }

    private static LinkMemory WithSlots(LinkMemory memory, ImmutableArray<WanConfig> wans, Dictionary<string, ObservedInterface> byName)
    {
        var slots = memory.Slots;
        foreach (var wan in wans)
        {
            if (slots.ContainsKey(wan.Interface))
            {
                continue;
            }

            var taken = slots.Values.ToHashSet();
            int free = Enumerable.Range(0, HostNumbers.MaxWans).FirstOrDefault(s => !taken.Contains(s), -1);
            if (free < 0)
            {
                // All are taken: one of an interface that is neither configured nor there is given on.
                var gone = slots.FirstOrDefault(s => !byName.ContainsKey(s.Key) && wans.All(w => w.Interface != s.Key));
                if (gone.Key is null)
                {
                    continue;
                }

                slots = slots.Remove(gone.Key);
                free = gone.Value;
            }

            slots = slots.Add(wan.Interface, free);
        }

        return memory with { Slots = slots };
    }

    private static Link Resolve(WanConfig wan, int slot, ObservedInterface? nic, NetworkView view, ref LinkMemory memory)
    {
        var role = memory.Roles.TryGetValue(wan.Name, out string? set) && Enum.TryParse<LinkRole>(set, ignoreCase: true, out var r) ? r : wan.Role;
        var link = new Link { Name = wan.Name, Interface = wan.Interface, Role = role, AskedRole = role, Slot = slot };
        if (nic is null)
        {
            return link with { Reason = "there is no such interface" };
        }

        ImmutableArray<LinkAddress> addresses =
        [
            .. view.Addresses
                .Where(a => a.Index == nic.Index && a.Usable)
                .OrderBy(a => a.Address.AddressFamily == AddressFamily.InterNetwork ? 0 : 1)
                .ThenBy(a => a.Lesser)
                .Select(a => new LinkAddress(a.Address, a.PrefixLength)),
        ];
        link = link with
        {
            Index = nic.Index,
            Carrier = nic.Carrier,
            Addresses = addresses,
            V4 = Gateway(wan, AddressFamily.InterNetwork, nic, addresses, view, ref memory),
            V6 = Gateway(wan, AddressFamily.InterNetworkV6, nic, addresses, view, ref memory),
        };
        return link with
        {
            Reason = !nic.Carrier ? "no carrier" : addresses.IsEmpty ? "no address" : null,
        };
    }

    private static NextHop? Gateway(
        WanConfig wan,
        AddressFamily family,
        ObservedInterface nic,
        ImmutableArray<LinkAddress> addresses,
        NetworkView view,
        ref LinkMemory memory)
    {
        if (wan.Gateway?.AddressFamily == family)
        {
            return new NextHop(wan.Gateway);
        }

        string key = $"{wan.Interface}/{(family == AddressFamily.InterNetwork ? 4 : 6)}";
        var route = view.Routes
            .Where(r => r.Interface == nic.Index && IsForeignDefault(r) && r.Destination.BaseAddress.AddressFamily == family)
            .OrderBy(r => r.Table == HostNumbers.MainTable ? 0 : 1)
            .ThenBy(r => r.Metric)
            .FirstOrDefault();
        if (route is not null)
        {
            if (route.Gateway is { } gateway)
            {
                memory = memory with { Gateways = memory.Gateways.SetItem(key, Unscoped(gateway).ToString()) };
                return new NextHop(Unscoped(gateway));
            }

            return new NextHop(null);
        }

        if (addresses.All(a => a.Address.AddressFamily != family))
        {
            return null;
        }

        if (memory.Gateways.TryGetValue(key, out string? text)
            && IPAddress.TryParse(text, out var last)
            && (last.IsIPv6LinkLocal || addresses.Any(a => a.Address.AddressFamily == family && a.Network.Contains(last))))
        {
            return new NextHop(last);
        }

        return nic.PointToPoint ? new NextHop(null) : null;
    }

    private static bool IsForeignDefault(ObservedRoute route) =>
        route.Destination.PrefixLength == 0 && !HostNumbers.IsOurTable(route.Table) && route.Protocol != HostNumbers.Protocol;

    private static ImmutableArray<IPNetwork> LocalNetworks(NetworkView view, HashSet<int> wans)
    {
        var local = view.Routes
            .Where(r => r.Table == HostNumbers.MainTable && r.Destination.PrefixLength > 0 && !wans.Contains(r.Interface) && r.Interface > 0)
            .Where(r => !r.Destination.BaseAddress.IsIPv6LinkLocal && !r.Destination.BaseAddress.IsIPv6Multicast && !IsLoopback(view, r.Interface))
            .ToArray();
        var all = Sorted(local.Select(r => r.Destination));
        return all.Length <= MaxLocalNetworks
            ? all
            : [.. Sorted(local.Where(r => r.Gateway is null).Select(r => r.Destination)).Take(MaxLocalNetworks)];
    }

    private static bool IsLoopback(NetworkView view, int index) => view.Interfaces.Any(i => i.Index == index && i.Loopback);

    private static IPAddress Unscoped(IPAddress address) =>
        address.AddressFamily == AddressFamily.InterNetworkV6 && address.ScopeId != 0 ? new IPAddress(address.GetAddressBytes()) : address;

    private static ImmutableArray<IPNetwork> Sorted(IEnumerable<IPNetwork> networks) =>
        [.. networks.Distinct().OrderBy(n => n.BaseAddress.AddressFamily).ThenBy(n => n.ToString(), StringComparer.Ordinal)];
}
