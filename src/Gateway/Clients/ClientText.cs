using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using System.Text;
using Aggregator.WireGuard;

namespace Aggregator.Gateway.Clients;

/// <summary>A client's configuration as wg-quick and WireGuard's apps read it.</summary>
internal static class ClientText
{
    /// <summary>
    /// A client behind NAT is found again after so many seconds of silence (WireGuard's own advice).
    /// </summary>
    private const int KeepAliveS = 25;

    internal static string Of(ClientRecord client, WireGuardKey privateKey, WireGuardKey gateway, string endPoint, ImmutableArray<IPAddress> dns)
    {
        var text = new StringBuilder("[Interface]\n");
        text.Append(CultureInfo.InvariantCulture, $"PrivateKey = {privateKey.ToBase64()}\n");
        text.Append(CultureInfo.InvariantCulture, $"Address = {client.Address}/32, {client.Address6}/128\n");
        if (!dns.IsEmpty)
        {
            text.Append(CultureInfo.InvariantCulture, $"DNS = {string.Join(", ", dns)}\n");
        }

        text.Append("\n[Peer]\n");
        text.Append(CultureInfo.InvariantCulture, $"PublicKey = {gateway.ToBase64()}\n");
        text.Append("AllowedIPs = 0.0.0.0/0, ::/0\n");
        text.Append(CultureInfo.InvariantCulture, $"Endpoint = {endPoint}\n");
        text.Append(CultureInfo.InvariantCulture, $"PersistentKeepalive = {KeepAliveS}\n");
        return text.ToString();
    }
}
