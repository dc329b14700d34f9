using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;

namespace Aggregator.Vps.Egress;

/// <summary>
/// Which addresses may be dialled: what is on the public internet and not this host, and what the configuration allows.
/// Asked for every address right before it is dialled, so a name that resolves to something else the second time gains nothing.
/// The ranges for documentation (RFC 5737, RFC 3849) and for benchmarks (RFC 2544) stay dialable: nobody's network, and labs live there.
/// </summary>
internal sealed class EgressPolicy(ImmutableArray<IPNetwork> allowed, IOwnAddresses own)
{
    private static readonly ImmutableArray<IPNetwork> Refused =
    [
        IPNetwork.Parse("0.0.0.0/8"),       // this network, RFC 1122 section 3.2.1.3; Linux takes 0.0.0.0 for itself
        IPNetwork.Parse("10.0.0.0/8"),      // private, RFC 1918
        IPNetwork.Parse("100.64.0.0/10"),   // carriers' NAT, RFC 6598; clouds keep metadata services there
        IPNetwork.Parse("127.0.0.0/8"),     // loopback
        IPNetwork.Parse("169.254.0.0/16"),  // link-local, RFC 3927; clouds' metadata
        IPNetwork.Parse("172.16.0.0/12"),   // private, RFC 1918
        IPNetwork.Parse("192.0.0.0/24"),    // protocol assignments, RFC 6890
        IPNetwork.Parse("192.168.0.0/16"),  // private, RFC 1918
        IPNetwork.Parse("224.0.0.0/4"),     // multicast
        IPNetwork.Parse("240.0.0.0/4"),     // reserved, and the broadcast address
        IPNetwork.Parse("::/128"),          // unspecified
        IPNetwork.Parse("::1/128"),         // loopback
        IPNetwork.Parse("100::/64"),        // discard, RFC 6666
        IPNetwork.Parse("64:ff9b:1::/48"),  // translation within a network, RFC 8215: where the IPv4 address is, nobody knows
        IPNetwork.Parse("fc00::/7"),        // unique local, RFC 4193
        IPNetwork.Parse("fe80::/10"),       // link-local
        IPNetwork.Parse("fec0::/10"),       // site-local, RFC 3879
        IPNetwork.Parse("ff00::/8"),        // multicast
    ];

    internal bool Allows(IPAddress address)
    {
        // ::ffff:a.b.c.d is another spelling of a.b.c.d (RFC 4291 section 2.5.5.2).
        address = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        if (Contains(allowed, address))
        {
            return true;
        }

        if (Contains(Refused, address) || own.Contains(address))
        {
            return false;
        }

        foreach (var inner in EmbeddedIPv4(address))
        {
            if (!Allows(inner))
            {
                return false;
            }
        }

        return true;
    }

    private static bool Contains(ImmutableArray<IPNetwork> networks, IPAddress address)
    {
        foreach (var network in networks)
        {
            if (network.Contains(address))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The IPv4 addresses that a packet to this IPv6 address ends at, or may end at, after translation or out of a tunnel.</summary>
    private static IEnumerable<IPAddress> EmbeddedIPv4(IPAddress address)
    {
        if (address.AddressFamily != AddressFamily.InterNetworkV6)
        {
            return [];
        }

        byte[] b = address.GetAddressBytes();
        return b switch
        {
            // ::a.b.c.d, compatible (RFC 4291 section 2.5.5.1)
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ..] => [new IPAddress(b.AsSpan(12))],
            // 64:ff9b::a.b.c.d, NAT64 (RFC 6052)
            [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, ..] => [new IPAddress(b.AsSpan(12))],
            // 2002:aabb:ccdd::/48, 6to4 (RFC 3056)
            [0x20, 0x02, ..] => [new IPAddress(b.AsSpan(2, 4))],
            // 2001:0::/32, Teredo (RFC 4380): server, and the client with its bits inverted
            [0x20, 0x01, 0, 0, ..] => [new IPAddress(b.AsSpan(4, 4)), new IPAddress((byte[])[(byte)~b[12], (byte)~b[13], (byte)~b[14], (byte)~b[15]])],
            _ => [],
        };
    }
}
