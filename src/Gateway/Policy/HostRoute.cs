using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Aggregator.Gateway.Policy;

internal enum HostRouteKind
{
    Unicast,
    Local,

    /// <summary>Ends the search in this table; the next rule's table is asked.</summary>
    Throw,

    /// <summary>Refused with an answer.</summary>
    Unreachable,
}

/// <summary>A route as the gateway wants it or as the host has it.</summary>
/// <param name="Interface">Outgoing interface's index; 0 for <see cref="HostRouteKind.Throw"/> and <see cref="HostRouteKind.Unreachable"/>.</param>
/// <param name="Device">Its name, for people; no part of the route's identity.</param>
/// <param name="OnLink">The gateway is outside the connected networks (a /32 address): RTNH_F_ONLINK.</param>
internal sealed record HostRoute(
    int Table,
    IPNetwork Destination,
    HostRouteKind Kind,
    int Interface = 0,
    string? Device = null,
    IPAddress? Gateway = null,
    IPAddress? Source = null,
    bool OnLink = false)
{
    internal AddressFamily Family => Destination.BaseAddress.AddressFamily;

    /// <summary>By what the kernel tells routes apart here: one route for a destination in a table.</summary>
    internal RouteKey Key => new(Table, Destination);

    public bool Equals(HostRoute? other) =>
        other is not null && Key == other.Key && Kind == other.Kind && Interface == other.Interface
        && Equals(Gateway, other.Gateway) && Equals(Source, other.Source) && OnLink == other.OnLink;

    public override int GetHashCode() => HashCode.Combine(Key, Kind, Interface, Gateway);

    /// <summary>As `ip route` takes it.</summary>
    public override string ToString()
    {
        string destination = Destination.PrefixLength == 0 ? "default" : Destination.ToString();
        string kind = Kind == HostRouteKind.Unicast ? "" : Kind.ToString().ToLowerInvariant() + " ";
        string v6 = Family == AddressFamily.InterNetworkV6 ? "-6 " : "";
        return string.Create(CultureInfo.InvariantCulture, $"{v6}{kind}{destination}")
            + (Gateway is null ? "" : $" via {Gateway}")
            + (Device is null ? "" : $" dev {Device}")
            + (Source is null ? "" : $" src {Source}")
            + (OnLink ? " onlink" : "")
            + string.Create(CultureInfo.InvariantCulture, $" table 0x{Table:x}");
    }
}

internal readonly record struct RouteKey(int Table, IPNetwork Destination);
