using System.Net;
using System.Net.Sockets;
using Aggregator.Settings;

namespace Aggregator.Gateway.Configuration;

/// <summary>
/// Probe targets as people write them: `icmp://9.9.9.9`, `tcp://192.0.2.1:443`, `http://192.0.2.1/generate_204`, `dns://9.9.9.9/example.net`.
/// Addresses only: a name would have to be looked up over the very line that is in question.
/// </summary>
internal static class ProbeTargets
{
    internal const ushort HttpPort = 80;
    internal const ushort DnsPort = 53;

    internal const string Example = "[icmp://9.9.9.9, dns://9.9.9.9/example.net]";

    /// <summary>RFC 1035 section 2.3.4.</summary>
    private const int MaxNameBytes = 253;

    private const int MaxLabelBytes = 63;

    /// <summary>What any web server takes.</summary>
    private const int MaxPathBytes = 1024;

    internal static Parsed<ProbeTarget> Parse(string text)
    {
        string shown = MapReader.Shown(text);
        int split = text.IndexOf("://", StringComparison.Ordinal);
        ProbeKind? kind = split < 0 ? null : text[..split] switch
        {
            "icmp" => ProbeKind.Icmp,
            "tcp" => ProbeKind.Tcp,
            "http" => ProbeKind.Http,
            "dns" => ProbeKind.Dns,
            _ => null,
        };
        if (kind is null)
        {
            return Parsed<ProbeTarget>.Not($"must begin with icmp://, tcp://, http:// or dns://, such as icmp://9.9.9.9; it is {shown}");
        }

        string rest = text[(split + 3)..];
        int slash = rest.IndexOf('/', StringComparison.Ordinal);
        string authority = slash < 0 ? rest : rest[..slash];
        string path = slash < 0 ? "" : rest[slash..];
        if (Split(authority) is not { } at || Values.Address(at.Host).Value is not { } address || at.Bracketed != (address.AddressFamily == AddressFamily.InterNetworkV6))
        {
            return Parsed<ProbeTarget>.Not($"must name an address (IPv6 in brackets), not a host's name: that would be looked up over the line in question; it is {shown}");
        }

        if (at.Port is { } given && Values.Port(given).Problem is { } problem)
        {
            return Parsed<ProbeTarget>.Not($"the port {problem}");
        }

        ushort? port = at.Port is null ? null : Values.Port(at.Port).Value;
        return kind switch
        {
            ProbeKind.Icmp => port is null && path.Length == 0
                ? Parsed<ProbeTarget>.Of(new ProbeTarget(ProbeKind.Icmp, address, 0, ""))
                : Parsed<ProbeTarget>.Not($"is an address and nothing more, such as icmp://9.9.9.9; it is {shown}"),
            ProbeKind.Tcp => port is { } p && path.Length == 0
                ? Parsed<ProbeTarget>.Of(new ProbeTarget(ProbeKind.Tcp, address, p, ""))
                : Parsed<ProbeTarget>.Not($"is an address with a port, such as tcp://192.0.2.1:443; it is {shown}"),
            ProbeKind.Http => path.Length <= MaxPathBytes && path.All(c => c is > ' ' and <= '~')
                ? Parsed<ProbeTarget>.Of(new ProbeTarget(ProbeKind.Http, address, port ?? HttpPort, path.Length == 0 ? "/" : path))
                : Parsed<ProbeTarget>.Not($"must have a path of printable characters, at most {MaxPathBytes}; it is {shown}"),
            _ => IsName(path)
                ? Parsed<ProbeTarget>.Of(new ProbeTarget(ProbeKind.Dns, address, port ?? DnsPort, path[1..]))
                : Parsed<ProbeTarget>.Not($"is a server's address and a name to ask it for, such as dns://9.9.9.9/example.net; it is {shown}"),
        };
    }

    private static (string Host, string? Port, bool Bracketed)? Split(string authority)
    {
        if (authority is ['[', ..])
        {
            int end = authority.IndexOf(']', StringComparison.Ordinal);
            return end < 0 ? null
                : end == authority.Length - 1 ? (authority[1..end], null, true)
                : authority[end + 1] == ':' ? (authority[1..end], authority[(end + 2)..], true)
                : null;
        }

        int colon = authority.IndexOf(':', StringComparison.Ordinal);
        return colon < 0 ? (authority, null, false) : (authority[..colon], authority[(colon + 1)..], false);
    }

    private static bool IsName(string path) =>
        path.Length is > 1 and <= MaxNameBytes + 1
        && path[1..].Split('.').All(l => l.Length is > 0 and <= MaxLabelBytes && l.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_'));
}
