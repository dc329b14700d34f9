using System.Net;
using System.Net.NetworkInformation;

namespace Aggregator.Gateway.Ingress;

/// <summary>Whether a listener's address is one of the host's, at this moment.</summary>
internal static class LocalAddress
{
    internal static bool Exists(IPAddress address) =>
        address.Equals(IPAddress.Any)
        || address.Equals(IPAddress.IPv6Any)
        || IPAddress.IsLoopback(address)
        || NetworkInterface.GetAllNetworkInterfaces().Any(i => i.GetIPProperties().UnicastAddresses.Any(a => Same(a.Address, address)));

    /// <summary>Whatever scope the kernel notes with link-local ones.</summary>
    private static bool Same(IPAddress one, IPAddress other) => one.GetAddressBytes().AsSpan().SequenceEqual(other.GetAddressBytes());
}
