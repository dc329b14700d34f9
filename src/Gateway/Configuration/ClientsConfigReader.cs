using System.Net;
using System.Net.Sockets;
using Aggregator.Settings;

namespace Aggregator.Gateway.Configuration;

/// <summary>`clients: {listen: 51820, network: 10.213.77.0/24}`.</summary>
internal static class ClientsConfigReader
{
    /// <summary>Room for the gateway, a client, and the two addresses that nobody may have.</summary>
    private const int MaxPrefixV4 = 30;
    private const int MinPrefixV4 = 16;
    private const int MaxPrefixV6 = 120;
    private const int MinPrefixV6 = 48;

    internal static ClientsConfig? Read(MapReader root)
    {
        if (root.Map("clients", "{listen: 51820}") is not { } reader)
        {
            return null;
        }

        var config = new ClientsConfig(
            reader.ValueOf("listen", Values.Port) ?? ClientsConfig.DefaultListen,
            reader.ValueOf("network", NetworkV4) ?? ClientsConfig.DefaultNetwork,
            reader.ValueOf("network6", NetworkV6),
            reader.Value("endpoint", EndPoint),
            reader.List("dns", "[192.168.77.1]", Values.Address) ?? []);
        reader.Finish();
        return config;
    }

    /// <summary>`home.example.net:51820`, `203.0.113.7:51820` or `[2001:db8::7]:51820`.</summary>
    internal static Parsed<string> EndPoint(string text)
    {
        int colon = text.LastIndexOf(':');
        if (colon <= 0)
        {
            return Parsed<string>.Not($"must be HOST:PORT, such as home.example.net:51820; it is {MapReader.Shown(text)}");
        }

        string host = text[..colon];
        var name = Values.Host(host);
        if (name.Problem is { } problem)
        {
            return Parsed<string>.Not(problem);
        }

        // IPv6 without brackets: where it ends nobody knows.
        if (name.Value!.Contains(':', StringComparison.Ordinal) && host[0] != '[')
        {
            return Parsed<string>.Not($"an IPv6 address stands in brackets: [{text[..colon]}]:{text[(colon + 1)..]}");
        }

        var port = Values.Port(text[(colon + 1)..]);
        return port.Problem is { } trouble ? Parsed<string>.Not($"the port {trouble}") : Parsed<string>.Of(text);
    }

    private static Parsed<IPNetwork> NetworkV4(string text) => Within(text, AddressFamily.InterNetwork, MinPrefixV4, MaxPrefixV4);

    private static Parsed<IPNetwork> NetworkV6(string text) => Within(text, AddressFamily.InterNetworkV6, MinPrefixV6, MaxPrefixV6);

    private static Parsed<IPNetwork> Within(string text, AddressFamily family, int shortest, int longest)
    {
        var network = Values.Network(text);
        return network.Problem is not null ? network
            : network.Value.BaseAddress.AddressFamily != family ? Parsed<IPNetwork>.Not($"must be an {(family == AddressFamily.InterNetwork ? "IPv4" : "IPv6")} network; it is {MapReader.Shown(text)}")
            : network.Value.PrefixLength < shortest || network.Value.PrefixLength > longest ? Parsed<IPNetwork>.Not($"must have a prefix of {shortest} to {longest}; it is {MapReader.Shown(text)}")
            : IsPrivate(network.Value) ? network
            : Parsed<IPNetwork>.Not($"must be a private network (10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10, fc00::/7); it is {MapReader.Shown(text)}");
    }

    private static bool IsPrivate(IPNetwork network) => Private.Any(p => p.BaseAddress.AddressFamily == network.BaseAddress.AddressFamily && p.Contains(network.BaseAddress));

    private static readonly IPNetwork[] Private =
    [
        IPNetwork.Parse("10.0.0.0/8"), IPNetwork.Parse("172.16.0.0/12"), IPNetwork.Parse("192.168.0.0/16"), IPNetwork.Parse("100.64.0.0/10"), IPNetwork.Parse("fc00::/7"),
    ];
}
