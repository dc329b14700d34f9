using System.Net;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Events;
using Aggregator.Gateway.Policy;
using Aggregator.Protocol.V1;
using Aggregator.Settings;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Clients;

/// <summary>What the local API finds.</summary>
/// <param name="Server">Null: roaming clients are not configured, or cannot be had.</param>
/// <param name="Problem">Why they cannot; null otherwise.</param>
internal sealed record ClientDesk(ClientServer? Server, string? Problem)
{
    /// <summary>A key that cannot be read is no reason to carry nobody.</summary>
    internal static ClientDesk Open(
        GatewayConfig config, HostController host, EventLog events, TimeProvider time, ILogger logger, List<Warning> warnings)
    {
        if (config.Clients is not { } clients)
        {
            return new ClientDesk(null, null);
        }

        try
        {
            if (clients.Dns.IsEmpty && config.Dns?.Listen.FirstOrDefault(l => !l.Address.Equals(IPAddress.Any) && !l.Address.Equals(IPAddress.IPv6Any)) is { } names)
            {
                clients = clients with { Dns = [names.Address] };
            }

            var book = ClientBook.Open(config.State, clients, time);
            return new ClientDesk(new ClientServer(clients, book, () => host.Snapshot, events, time, logger), null);
        }
        catch (Exception e) when (e is StateException or PlatformNotSupportedException)
        {
            warnings.Add(new Warning { Code = "clients-unavailable", Text = $"roaming clients cannot come in: {e.Message}" });
            return new ClientDesk(null, e.Message);
        }
    }
}
