using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Aggregator.Gateway.Configuration;

namespace Aggregator.Gateway.Carriers;

/// <summary>The WANs as whoever keeps connections on each of them needs to know them. Implemented by the links' room; read from any thread.</summary>
internal interface IWanList
{
    ImmutableArray<Wan> Current { get; }

    /// <summary>After a change of anything but round trips. Handlers return at once.</summary>
    event Action? Changed;
}

/// <summary>One WAN at one moment.</summary>
/// <param name="Name">What people call it.</param>
/// <param name="Index">The interface's; 0 while there is none.</param>
/// <param name="V4">The address that IPv4 connections start from; null where the WAN has no way out for IPv4.</param>
/// <param name="V6">The same for IPv6.</param>
/// <param name="IsUsable">Not switched off, and not known to be down.</param>
/// <param name="RttMs">Of the last probes; null before the first answer.</param>
internal sealed record Wan(string Name, string Interface, int Index, IPAddress? V4, IPAddress? V6, LinkRole Role, bool IsUsable, double? RttMs)
{
    internal IPAddress? Address(AddressFamily family) => family == AddressFamily.InterNetwork ? V4 : V6;

    internal bool Has(IPAddress address) => address.Equals(V4) || address.Equals(V6);
}
