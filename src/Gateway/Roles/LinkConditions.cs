using System.Collections.Immutable;

namespace Aggregator.Gateway.Roles;

/// <summary>What speaks against links that work: portals, weak radio. Set by whoever watches for it, each under a name of its own. Thread-safe.</summary>
internal sealed class LinkConditions
{
    private readonly Lock _lock = new();
    private ImmutableDictionary<(string Link, string Watcher), string> _degraded = ImmutableDictionary<(string, string), string>.Empty;
    private ImmutableDictionary<string, string> _portals = ImmutableDictionary<string, string>.Empty;

    /// <summary>After a change. Handlers return at once.</summary>
    internal event Action? Changed;

    internal (string? Degraded, string? Portal) Of(string link)
    {
        lock (_lock)
        {
            string why = string.Join("; ", _degraded.Where(d => d.Key.Link == link).OrderBy(d => d.Key.Watcher, StringComparer.Ordinal).Select(d => d.Value));
            return (why.Length > 0 ? why : null, _portals.GetValueOrDefault(link));
        }
    }

    /// <param name="why">Null: it does not any more.</param>
    internal void SetDegraded(string link, string watcher, string? why)
    {
        lock (_lock)
        {
            var key = (link, watcher);
            if (_degraded.GetValueOrDefault(key) == why)
            {
                return;
            }

            _degraded = why is null ? _degraded.Remove(key) : _degraded.SetItem(key, why);
        }

        Changed?.Invoke();
    }

    /// <param name="portal">What the portal says of itself; empty: nothing. Null: there is none.</param>
    internal void SetPortal(string link, string? portal)
    {
        lock (_lock)
        {
            if (_portals.GetValueOrDefault(link) == portal)
            {
                return;
            }

            _portals = portal is null ? _portals.Remove(link) : _portals.SetItem(link, portal);
        }

        Changed?.Invoke();
    }
}
