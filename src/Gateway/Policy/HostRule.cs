using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Aggregator.Gateway.Policy;

/// <summary>A routing rule. Exactly one of the selectors (source, outgoing device, mark with or without incoming device) is set.</summary>
/// <param name="From">Source address.</param>
/// <param name="OutDevice">Sockets bound to this device.</param>
/// <param name="InDevice">Packets that arrive here, with <paramref name="Mark"/>; null: all that have the mark.</param>
internal sealed record HostRule(
    AddressFamily Family,
    uint Priority,
    int Table,
    IPAddress? From = null,
    string? OutDevice = null,
    string? InDevice = null,
    uint Mark = 0,
    uint Mask = 0)
{
    /// <summary>As `ip rule` takes it.</summary>
    public override string ToString() =>
        (Family == AddressFamily.InterNetworkV6 ? "-6 " : "")
        + string.Create(CultureInfo.InvariantCulture, $"priority {Priority}")
        + (From is null ? "" : $" from {From}")
        + (Mark == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $" fwmark 0x{Mark:x}/0x{Mask:x}"))
        + (InDevice is null ? "" : $" iif {InDevice}")
        + (OutDevice is null ? "" : $" oif {OutDevice}")
        + string.Create(CultureInfo.InvariantCulture, $" lookup 0x{Table:x}");
}
