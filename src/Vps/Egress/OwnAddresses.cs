using System.Collections.Frozen;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;

namespace Aggregator.Vps.Egress;

/// <summary>The addresses of this host: a seam, because a test cannot give the machine others.</summary>
internal interface IOwnAddresses
{
    bool Contains(IPAddress address);

    /// <summary>Whether the host has an address of the family that reaches beyond its links.</summary>
    bool HasGlobal(AddressFamily family);
}

/// <summary>
/// As the kernel tells them, asked again when what is known is older than <see cref="MaxAge"/>. An address that came within these
/// seconds is reachable until then; every other door of this host should not rely on this one anyway.
/// </summary>
internal sealed class OwnAddresses(TimeProvider time) : IOwnAddresses
{
    private static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private Snapshot? _snapshot;

    public bool Contains(IPAddress address) => Current().Addresses.Contains(Bare(address));

    public bool HasGlobal(AddressFamily family) => Current().Families.Contains(family);

    private Snapshot Current()
    {
        if (Volatile.Read(ref _snapshot) is { } known && time.GetElapsedTime(known.Taken) < MaxAge)
        {
            return known;
        }

        lock (_lock)
        {
            if (_snapshot is not { } last || time.GetElapsedTime(last.Taken) >= MaxAge)
            {
                _snapshot = Take(time.GetTimestamp());
            }

            return _snapshot;
        }
    }

    private static Snapshot Take(long now)
    {
        var addresses = NetworkInterface.GetAllNetworkInterfaces()
            .SelectMany(i => i.GetIPProperties().UnicastAddresses)
            .Select(a => Bare(a.Address))
            .ToFrozenSet();
        var families = addresses
            .Where(a => !IPAddress.IsLoopback(a) && !a.IsIPv6LinkLocal)
            .Select(a => a.AddressFamily)
            .ToFrozenSet();
        return new Snapshot(now, addresses, families);
    }

    /// <summary>Without the scope that the kernel adds to link-local ones.</summary>
    private static IPAddress Bare(IPAddress address) =>
        address is { AddressFamily: AddressFamily.InterNetworkV6, ScopeId: not 0 } ? new IPAddress(address.GetAddressBytes()) : address;

    private sealed record Snapshot(long Taken, FrozenSet<IPAddress> Addresses, FrozenSet<AddressFamily> Families);
}
