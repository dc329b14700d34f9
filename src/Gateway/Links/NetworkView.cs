using System.Collections.Immutable;
using System.Net;

namespace Aggregator.Gateway.Links;

/// <summary>The kernel's interfaces, addresses and routes as one dump saw them.</summary>
internal sealed record NetworkView(
    ImmutableArray<ObservedInterface> Interfaces,
    ImmutableArray<ObservedAddress> Addresses,
    ImmutableArray<ObservedRoute> Routes);

/// <param name="Carrier">IFF_UP and IFF_LOWER_UP.</param>
internal sealed record ObservedInterface(int Index, string Name, bool Carrier, bool PointToPoint = false, bool Loopback = false);

/// <param name="Usable">Not tentative, no duplicate detected, of global scope (private ranges included).</param>
/// <param name="Lesser">Deprecated, temporary (RFC 8981) or secondary: used when there is no better one.</param>
internal sealed record ObservedAddress(int Index, IPAddress Address, int PrefixLength, bool Usable = true, bool Lesser = false);

/// <param name="Interface">The index of the outgoing interface; a multipath route is one of these for each hop.</param>
/// <param name="Gateway">Null for a directly connected destination.</param>
internal sealed record ObservedRoute(int Table, IPNetwork Destination, int Interface, IPAddress? Gateway, uint Metric, byte Protocol);
