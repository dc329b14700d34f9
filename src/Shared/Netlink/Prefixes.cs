using System.Net;
using System.Net.Sockets;
using Aggregator.Interop;

namespace Aggregator.Netlink;

/// <summary>Address and prefix length as netlink gives them, made a network.</summary>
internal static class Prefixes
{
    /// <summary>
    /// A missing address is the family's zero. Bits behind the prefix are cleared (rules may have them). False: the length or the
    /// address does not fit the family.
    /// </summary>
    internal static bool TryCreate(byte family, IPAddress? address, byte length, out IPNetwork prefix)
    {
        bool isIPv4 = family == Libc.AF_INET;
        address ??= isIPv4 ? IPAddress.Any : IPAddress.IPv6Any;
        if (address.AddressFamily != (isIPv4 ? AddressFamily.InterNetwork : AddressFamily.InterNetworkV6) || length > (isIPv4 ? 32 : 128))
        {
            prefix = default;
            return false;
        }

        prefix = Containing(address, length);
        return true;
    }

    /// <summary>The network of <paramref name="length"/> bits that <paramref name="address"/> is in.</summary>
    internal static IPNetwork Containing(IPAddress address, int length)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out int written);
        for (int i = 0; i < written; i++)
        {
            int kept = Math.Clamp(length - (i * 8), 0, 8);
            bytes[i] &= (byte)(0xff00 >> kept);
        }

        return new IPNetwork(new IPAddress(bytes[..written]), length);
    }

    internal static byte FamilyOf(IPNetwork network) => FamilyOf(network.BaseAddress.AddressFamily);

    internal static byte FamilyOf(AddressFamily family)
        => family switch
        {
            AddressFamily.InterNetwork => Libc.AF_INET,
            AddressFamily.InterNetworkV6 => Libc.AF_INET6,
            _ => throw new ArgumentOutOfRangeException(nameof(family), family, "IPv4 or IPv6"),
        };
}
