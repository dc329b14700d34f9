using System.Net;
using Aggregator.DnsWire;

namespace Aggregator.Vps.Resolver;

/// <summary>The name servers that this host asks, as its resolv.conf names them at the moment.</summary>
internal sealed class OwnServers(string path = ResolvConf.Path)
{
    internal IReadOnlyList<IPEndPoint> Current
    {
        get
        {
            string text;
            try
            {
                text = File.ReadAllText(path);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                text = "";
            }

            var servers = ResolvConf.Servers(text);

            // resolv.conf(5): without one, this host's own.
            return [.. (servers.Count > 0 ? servers : [IPAddress.Loopback]).Select(s => new IPEndPoint(s, ResolvConf.Port))];
        }
    }
}
