using System.Net;
using System.Security.Cryptography;
using Aggregator.Gateway.Configuration;
using Aggregator.WireGuard;

namespace Aggregator.Gateway.Clients;

/// <summary>The clients' two networks and who has which address in them. The gateway has the first of each.</summary>
internal sealed class ClientNetworks
{
    private readonly IPNetwork _v4;
    private readonly IPNetwork _v6;

    internal ClientNetworks(ClientsConfig config, WireGuardKey publicKey)
    {
        _v4 = config.Network;
        _v6 = config.Network6 ?? Own(publicKey);
    }

    internal IPNetwork V4 => _v4;

    internal IPNetwork V6 => _v6;

    internal IPAddress Gateway => At(_v4, 1);

    internal IPAddress Gateway6 => At(_v6, 1);

    /// <summary>Numbers of clients: 2 to this, the last of IPv4 being everybody's (broadcast).</summary>
    internal int Last => (int)Math.Min((1L << (32 - _v4.PrefixLength)) - 2, ClientBook.MaxClients + 1);

    internal IPAddress Client(int number) => At(_v4, number);

    internal IPAddress Client6(int number) => At(_v6, number);

    /// <summary>RFC 4193 section 3.2.2: 40 bits by chance, here by the key, so that they stay; subnet 0.</summary>
    private static IPNetwork Own(WireGuardKey publicKey)
    {
        byte[] prefix = new byte[16];
        prefix[0] = 0xfd;
        SHA256.HashData(publicKey.Span).AsSpan(0, 5).CopyTo(prefix.AsSpan(1));
        return new IPNetwork(new IPAddress(prefix), 64);
    }

    private static IPAddress At(IPNetwork network, int number)
    {
        byte[] bytes = network.BaseAddress.GetAddressBytes();
        for (int i = bytes.Length - 1; number > 0; i--, number >>= 8)
        {
            bytes[i] += (byte)number;
        }

        return new IPAddress(bytes);
    }
}
