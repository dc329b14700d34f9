using System.Net;

namespace Aggregator.DnsWire;

/// <summary>The name servers of a resolv.conf(5).</summary>
internal static class ResolvConf
{
    internal const string Path = "/etc/resolv.conf";

    internal const int Port = 53;

    /// <summary>More than anybody has; the C library takes three (MAXNS).</summary>
    private const int MaxServers = 16;

    /// <summary>The addresses of `nameserver` lines; takes any text.</summary>
    internal static IReadOnlyList<IPAddress> Servers(string text)
    {
        var servers = new List<IPAddress>();
        foreach (string line in text.Split('\n'))
        {
            string[] words = line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            if (words is ["nameserver", var server, ..] && IPAddress.TryParse(server, out var address) && servers.Count < MaxServers)
            {
                servers.Add(address);
            }
        }

        return servers;
    }
}
