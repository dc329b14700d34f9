using System.Collections.Immutable;
using System.Net;
using Aggregator.DnsWire;
using Aggregator.Settings;

namespace Aggregator.Gateway.Configuration;

/// <summary>`dns: {listen: 192.168.77.1, upstream: [9.9.9.9], split: {lan: 192.168.77.254}}`.</summary>
internal static class DnsConfigReader
{
    private const string Example = "192.168.77.1";

    /// <summary>As many as a home may have of each; every question looks at the split domains.</summary>
    private const int Most = 64;

    /// <summary>Null: the key is not there.</summary>
    internal static DnsConfig? Read(MapReader root)
    {
        if (root.Map("dns", $"{{listen: {Example}}}") is not { } reader)
        {
            return null;
        }

        var config = new DnsConfig
        {
            Listen = reader.OneOrMore("listen", $"[{Example}]", Listen) ?? [],
            Upstream = reader.OneOrMore("upstream", "[9.9.9.9]", Server) ?? [],
            Direct = reader.OneOrMore("direct", "[9.9.9.9]", Server) ?? [],
            Split = [.. (reader.Table("split", "{lan: 192.168.77.254}", Domain, Server) ?? []).Select(s => new DnsSplit(s.Key, s.Value))],
        };
        if (!reader.Has("listen"))
        {
            reader.Report("listen", $"is missing; say where clients of the LAN ask, such as {Example}");
        }

        foreach (var (key, count) in ((string, int)[])[("listen", config.Listen.Length), ("upstream", config.Upstream.Length), ("direct", config.Direct.Length), ("split", config.Split.Length)])
        {
            if (count > Most)
            {
                reader.Report(key, $"has {count} entries; {Most} is the most");
            }
        }

        if (config.Listen.GroupBy(l => l).FirstOrDefault(g => g.Count() > 1) is { } twice)
        {
            reader.Report("listen", $"names {twice.Key} twice; remove one");
        }

        if (config.Split.GroupBy(s => s.Domain).FirstOrDefault(g => g.Count() > 1) is { } doubled)
        {
            reader.Report("split", $"has {doubled.Key} twice; remove one");
        }

        if (config.Split.FirstOrDefault(s => config.Listen.Contains(s.Server)) is { } loop)
        {
            reader.Report("split", $"sends {loop.Domain} to {loop.Server}, which is this server itself");
        }

        reader.Finish();
        return config;
    }

    /// <summary>With port 53 where none is given.</summary>
    internal static Parsed<IPEndPoint> Server(string text)
    {
        string bare = text is ['[', .., ']'] ? text[1..^1] : text;
        if (Values.Address(bare).Value is { } address)
        {
            return Parsed<IPEndPoint>.Of(new IPEndPoint(address, ResolvConf.Port));
        }

        return Values.EndPoint(text).Problem is null
            ? Values.EndPoint(text)
            : Parsed<IPEndPoint>.Not($"must be a name server's address, with a port where it is not 53, such as 9.9.9.9 or [2620:fe::fe]:5353; it is {MapReader.Shown(text)}");
    }

    /// <summary>On all addresses it would answer the internet too, and from an address that was not asked.</summary>
    private static Parsed<IPEndPoint> Listen(string text) =>
        Server(text) is { Value: { } at } && (at.Address.Equals(IPAddress.Any) || at.Address.Equals(IPAddress.IPv6Any))
            ? Parsed<IPEndPoint>.Not($"must be an address of the LAN's, such as {Example}: on all addresses it would answer on the WANs too")
            : Server(text);

    private static Parsed<string> Domain(string text)
    {
        string bare = text.Trim('.').ToLowerInvariant();
        return DnsMessage.TryParseName(bare, out _) && bare.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.')
            ? Parsed<string>.Of(bare)
            : Parsed<string>.Not($"must be a domain, such as lan or corp.example; it is {MapReader.Shown(text)}");
    }
}
