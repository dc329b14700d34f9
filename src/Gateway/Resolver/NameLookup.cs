using System.Net;
using Aggregator.DnsWire;

namespace Aggregator.Gateway.Resolver;

/// <summary>Names to addresses as seen from the VPS, for datagrams: these have no handshake that would tell which of two families gets through.</summary>
internal sealed class NameLookup(CarriedQuestion carried)
{
    private static readonly ushort[] Types = [DnsMessage.TypeA, DnsMessage.TypeAaaa];

    /// <summary>
    /// An IPv4 address where the name has one, because IPv4 has its way out at any VPS; else an IPv6 one. Null: the name has neither, or nobody answered.
    /// </summary>
    internal async Task<IPAddress?> FindAsync(string name, CancellationToken cancellationToken)
    {
        foreach (ushort type in Types)
        {
            if (DnsMessage.Query(DnsMessage.NewId(), name, type) is not { } query)
            {
                return null;
            }

            var answer = await carried.AskAsync(NameProtocol.Target, query, cancellationToken);
            if (answer.Answer is { } message && DnsMessage.ReadAddresses(message, type) is [var first, ..])
            {
                return first;
            }
        }

        return null;
    }
}
