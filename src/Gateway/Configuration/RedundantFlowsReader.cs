using System.Collections.Immutable;
using System.Net;
using Aggregator.Settings;

namespace Aggregator.Gateway.Configuration;

/// <summary>The key `redundant` of gateway.yaml.</summary>
internal static class RedundantFlowsReader
{
    private const string Example = "{ports: [5060-5061], to: [203.0.113.0/24]}";

    internal static RedundantFlows Read(MapReader root) =>
        root.Maps("redundant", Example, ReadRule) is { IsEmpty: false } rules ? new RedundantFlows(rules) : RedundantFlows.None;

    private static RedundantRule? ReadRule(MapReader reader)
    {
        var rule = new RedundantRule
        {
            Ports = List("ports", "[5060-5061]", Ports),
            To = List("to", "[203.0.113.0/24]", Networks),
            Hosts = List("hosts", "[game.example.net, .calls.example.net]", Host),
            Clients = List("clients", "[192.168.77.20]", Networks),
            Ingress = List("ingress", "[socks]", text => Values.OneOf(text, "transparent", "socks", "http")),
        };
        string[] keys = ["ports", "to", "hosts", "clients", "ingress"];
        if (!keys.Any(reader.Has))
        {
            reader.Report("ports", $"is missing, and so are {string.Join(", ", keys[1..])}: an entry names the flows that go twice, such as `{Example}`");
            return null;
        }

        return rule;

        // A list that is there and names nothing must not make the rule one for all flows.
        ImmutableArray<T> List<T>(string key, string example, Func<string, Parsed<T>> parse)
        {
            var list = reader.List(key, example, parse);
            if (list is { IsEmpty: true })
            {
                reader.Report(key, $"names nothing; leave it out, or name something, as in `{key}: {example}`");
            }

            return list ?? [];
        }
    }

    internal static Parsed<PortRange> Ports(string text)
    {
        string[] ends = text.Split('-');
        if (ends.Length <= 2 && Values.Port(ends[0]) is { Problem: null, Value: var first } && Values.Port(ends[^1]) is { Problem: null, Value: var last } && first <= last)
        {
            return Parsed<PortRange>.Of(new PortRange(first, last));
        }

        return Parsed<PortRange>.Not($"must be a port or a range of ports, such as 5060 or 5060-5061; it is {MapReader.Shown(text)}");
    }

    /// <summary>A network, or one address.</summary>
    private static Parsed<IPNetwork> Networks(string text) => !text.Contains('/', StringComparison.Ordinal) && Values.Address(text) is { Problem: null, Value: { } address }
        ? Parsed<IPNetwork>.Of(new IPNetwork(address, address.GetAddressBytes().Length * 8))
        : Values.Network(text);

    private static Parsed<string> Host(string text) =>
        Values.Host(text.StartsWith('.') ? text[1..] : text) is { Problem: { } problem } ? Parsed<string>.Not(problem) : Parsed<string>.Of(text);
}
