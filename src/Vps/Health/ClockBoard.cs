using System.Collections.Concurrent;
using System.Collections.Immutable;
using Aggregator.Health;
using Aggregator.Identity;

namespace Aggregator.Vps.Health;

/// <summary>What the connected gateways have measured of the clocks' difference.</summary>
internal sealed class ClockBoard
{
    private readonly ConcurrentDictionary<KeyPin, ClockSkew> _skews = new();

    internal ImmutableArray<ClockSkew> All => [.. _skews.Values.OrderBy(s => s.Peer, StringComparer.Ordinal)];

    internal ClockSkew? Find(KeyPin pin) => _skews.TryGetValue(pin, out var skew) ? skew : null;

    internal void Set(KeyPin pin, ClockSkew skew) => _skews[pin] = skew;

    internal void Remove(KeyPin pin) => _skews.TryRemove(pin, out _);
}
