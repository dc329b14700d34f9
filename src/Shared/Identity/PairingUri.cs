using System.Collections.Immutable;
using System.Text;
using Aggregator.Settings;

namespace Aggregator.Identity;

/// <summary>
/// The pairing line: `aggregator://HOST:PORT/?pin=…&amp;code=…`, with `&amp;host=…` for each further name or address of the VPS.
/// IPv6 addresses stand in brackets before the port.
/// </summary>
/// <param name="Hosts">Best first, at least one; IPv6 without brackets.</param>
/// <param name="Pin">The VPS's key.</param>
/// <param name="Code">The one-time code.</param>
internal sealed record PairingUri(ImmutableArray<string> Hosts, ushort Port, KeyPin Pin, string Code)
{
    private const string Scheme = "aggregator://";

    /// <summary>A line with eight hosts of full length; longer is not ours.</summary>
    private const int MaxLength = 2500;

    private const int MaxHosts = 8;

    public override string ToString()
    {
        var text = new StringBuilder($"{Scheme}{Bracketed(Hosts[0])}:{Port}/?pin={Pin}&code={Code}");
        foreach (string host in Hosts.Skip(1))
        {
            text.Append("&host=").Append(host);
        }

        return text.ToString();
    }

    public bool Equals(PairingUri? other) =>
        other is not null && Hosts.SequenceEqual(other.Hosts) && Port == other.Port && Pin == other.Pin && Code == other.Code;

    public override int GetHashCode() => HashCode.Combine(Hosts[0], Port, Pin, Code);

    /// <summary>Strict; white space around it (from copying) is all that is forgiven. The problem never repeats the code.</summary>
    internal static Parsed<PairingUri> Parse(string text)
    {
        string line = text.Trim();
        if (line.Length > MaxLength)
        {
            return Not($"is {line.Length} characters long");
        }

        if (!line.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
        {
            return Not($"must begin with {Scheme}");
        }

        string rest = line[Scheme.Length..];
        int slash = rest.IndexOf('/', StringComparison.Ordinal);
        if (slash < 0 || !rest[slash..].StartsWith("/?", StringComparison.Ordinal))
        {
            return Not("has no `/?` after the port; in a shell it must stand in quotes");
        }

        string authority = rest[..slash];
        int colon = authority.LastIndexOf(':');
        if (colon < 0)
        {
            return Not("has no port");
        }

        if (Values.Port(authority[(colon + 1)..]) is not { Problem: null, Value: var port })
        {
            return Not("has no valid port");
        }

        string host = authority[..colon];
        if (Values.Host(host) is not { Value: { } first } || (first.Contains(':', StringComparison.Ordinal) && host[0] != '['))
        {
            return Not("has no valid host");
        }

        return Query(rest[(slash + 2)..], first, port);
    }

    /// <summary>As it stands before a colon and a port.</summary>
    internal static string Bracketed(string host) => host.Contains(':', StringComparison.Ordinal) ? $"[{host}]" : host;

    private static Parsed<PairingUri> Query(string query, string firstHost, ushort port)
    {
        var hosts = ImmutableArray.CreateBuilder<string>();
        hosts.Add(firstHost);
        KeyPin? pin = null;
        string? code = null;
        foreach (string part in query.Split('&'))
        {
            int equals = part.IndexOf('=', StringComparison.Ordinal);
            string value = equals < 0 ? "" : part[(equals + 1)..];
            switch (equals < 0 ? part : part[..equals])
            {
                case "pin" when pin is null && KeyPin.TryParse(value, out var parsed):
                    pin = parsed;
                    break;
                case "pin":
                    return Not("has no valid pin");
                case "code" when code is null && PairingCode.IsWellFormed(value):
                    code = value;
                    break;
                case "code":
                    return Not("has no valid code");
                case "host" when hosts.Count < MaxHosts && Values.Host(value).Value is { } host:
                    hosts.Add(host);
                    break;
                case "host":
                    return Not("has an invalid further host");
                default:
                    return Not("has a part that this version does not know; was the gateway updated?");
            }
        }

        if (pin is null || code is null)
        {
            return Not($"has no {(pin is null ? "pin" : "code")}; in a shell it must stand in quotes, because of the `&`");
        }

        return Parsed<PairingUri>.Of(new PairingUri(hosts.ToImmutable(), port, pin.Value, code));
    }

    private static Parsed<PairingUri> Not(string problem) =>
        Parsed<PairingUri>.Not($"the pairing line {problem}; copy all that `aggregator-vps pair` printed");
}
