using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;

namespace Aggregator.Packets;

/// <summary>Networks, asked for each packet: compares bytes and allocates nothing. Immutable.</summary>
internal sealed class PrefixSet
{
    internal static readonly PrefixSet Empty = new([]);

    private readonly (byte[] Address, int Bits)[] _v4;
    private readonly (byte[] Address, int Bits)[] _v6;

    internal PrefixSet(ImmutableArray<IPNetwork> networks)
    {
        Networks = networks;
        _v4 = Of(AddressFamily.InterNetwork);
        _v6 = Of(AddressFamily.InterNetworkV6);

        (byte[], int)[] Of(AddressFamily family) =>
            [.. networks.Where(n => n.BaseAddress.AddressFamily == family).Select(n => (n.BaseAddress.GetAddressBytes(), n.PrefixLength))];
    }

    internal ImmutableArray<IPNetwork> Networks { get; }

    /// <param name="address">4 or 16 bytes.</param>
    internal bool Contains(ReadOnlySpan<byte> address)
    {
        foreach (var (prefix, bits) in address.Length == 4 ? _v4 : _v6)
        {
            int whole = bits >> 3;
            int rest = bits & 7;
            if (address[..whole].SequenceEqual(prefix.AsSpan(0, whole))
                && (rest == 0 || ((address[whole] ^ prefix[whole]) >> (8 - rest)) == 0))
            {
                return true;
            }
        }

        return false;
    }
}
