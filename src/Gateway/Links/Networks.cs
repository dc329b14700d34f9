using System.Net;
using System.Net.Sockets;

namespace Aggregator.Gateway.Links;

/// <summary>Arithmetic on prefixes.</summary>
internal static class Networks
{
    internal static readonly IPNetwork AllV4 = new(IPAddress.Any, 0);
    internal static readonly IPNetwork AllV6 = new(IPAddress.IPv6Any, 0);

    internal static IPNetwork All(AddressFamily family) => family == AddressFamily.InterNetwork ? AllV4 : AllV6;

    internal static int Bits(AddressFamily family) => family == AddressFamily.InterNetwork ? 32 : 128;

    /// <summary>The network of an address: the bits after the prefix cleared, the scope dropped.</summary>
    internal static IPNetwork Of(IPAddress address, int prefixLength)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out int length);
        bytes = bytes[..length];
        for (int i = 0; i < length; i++)
        {
            int keep = Math.Clamp(prefixLength - (i * 8), 0, 8);
            bytes[i] &= (byte)(0xFF << (8 - keep));
        }

        return new IPNetwork(new IPAddress(bytes), prefixLength);
    }
}
