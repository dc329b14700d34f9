using System.Collections.Concurrent;
using Aggregator.Identity;
using Aggregator.Vps.Pairing;
using Microsoft.Extensions.Logging;

namespace Aggregator.Vps.Sessions;

/// <summary>The gateways that have or had something open since the daemon started, and the end of those that may not any more.</summary>
internal sealed class GatewaySessions(PairedGateways paired, ILogger<GatewaySessions> logger)
{
    private readonly ConcurrentDictionary<KeyPin, LiveGateway> _live = new();

    internal IReadOnlyCollection<LiveGateway> All => (IReadOnlyCollection<LiveGateway>)_live.Values;

    /// <summary>
    /// Takes a connection in for the gateway with this key. Null when there is none: also when it was revoked in this very moment,
    /// which is why the key is looked up again once the connection can be found by <see cref="End"/>.
    /// </summary>
    internal LiveGateway? Enter(KeyPin pin, LiveConnection connection)
    {
        if (!paired.TryFind(pin, out var gateway))
        {
            return null;
        }

        var live = _live.GetOrAdd(pin, static (key, name) => new LiveGateway(key, name), gateway.Name);
        live.Name = gateway.Name;
        live.Add(connection);
        if (paired.TryFind(pin, out _) && _live.TryGetValue(pin, out var still) && still == live)
        {
            return live;
        }

        live.Remove(connection);
        return null;
    }

    /// <summary>Null: nothing of it is open, or it is not paired any more.</summary>
    internal LiveGateway? Find(KeyPin pin) => _live.GetValueOrDefault(pin);

    /// <summary>Reads who is paired anew and ends everything of those who are not any more.</summary>
    /// <returns>The connections ended.</returns>
    internal int EndRevoked()
    {
        paired.Reload();
        int ended = 0;
        foreach (var (pin, live) in _live)
        {
            if (!paired.TryFind(pin, out _) && _live.TryRemove(pin, out _))
            {
                int connections = live.EndAll();
                ended += connections;
                logger.GatewayEnded(live.Name, connections);
            }
        }

        return ended;
    }
}
