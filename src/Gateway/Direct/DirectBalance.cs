using System.Collections.Immutable;
using System.Net;

namespace Aggregator.Gateway.Direct;

/// <summary>
/// Shares new connections among WANs by weight, and lets a client keep its WAN for a while. Each connection goes to the WAN that is furthest
/// behind its share, so the split is exact; a client's next ones follow it there, with a stated time always, else only while that WAN is not
/// more than <see cref="LooseLead"/> connections ahead of its share. Thread-safe.
/// </summary>
/// <param name="strict">How long a client keeps its WAN whatever the balance; null: for <paramref name="loose"/>, within the lead.</param>
internal sealed class DirectBalance(TimeProvider time, TimeSpan? strict, TimeSpan loose)
{
    /// <summary>What a page opens at once stays together; a client that opens a thousand is spread.</summary>
    internal const int LooseLead = 16;

    /// <summary>Clients remembered; the oldest make room. More than a home has.</summary>
    internal const int MaxClients = 4096;

    /// <summary>What was opened so long ago counts half.</summary>
    private static readonly TimeSpan HalfLife = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, double> _opened = new(StringComparer.Ordinal);
    private readonly Dictionary<IPAddress, Pinned> _clients = [];
    private long _decayed;

    /// <summary>Chooses one of <paramref name="ways"/>, which are not empty, and counts the connection there.</summary>
    internal DirectWay Pick(IPAddress? client, ImmutableArray<DirectWay> ways)
    {
        lock (_lock)
        {
            Decay();
            DirectWay way = Kept(client, ways) ?? FurthestBehind(ways);
            Count(way.Link, 1);
            if (client is not null)
            {
                Pin(client, way.Link);
            }

            return way;
        }
    }

    /// <summary>A connection that was counted with one WAN goes over another, and so do its client's next ones.</summary>
    internal void Move(IPAddress? client, string from, string to)
    {
        lock (_lock)
        {
            Count(from, -1);
            Count(to, 1);
            if (client is not null)
            {
                _clients[client] = new Pinned(to, time.GetTimestamp(), time.GetTimestamp());
            }
        }
    }

    /// <summary>The others, the furthest behind first: where to try next.</summary>
    internal ImmutableArray<DirectWay> Others(DirectWay first, ImmutableArray<DirectWay> ways)
    {
        lock (_lock)
        {
            return [.. ways.Where(w => w != first).OrderBy(After)];
        }
    }

    private DirectWay? Kept(IPAddress? client, ImmutableArray<DirectWay> ways)
    {
        if (client is null || !_clients.TryGetValue(client, out var pinned) || ways.FirstOrDefault(w => w.Link == pinned.Link) is not { } way)
        {
            return null;
        }

        if (strict is { } always)
        {
            return time.GetElapsedTime(pinned.Last) < always ? way : null;
        }

        double all = ways.Sum(w => _opened.GetValueOrDefault(w.Link));
        double lead = _opened.GetValueOrDefault(way.Link) - (all * way.Weight / ways.Sum(w => (double)w.Weight));
        return time.GetElapsedTime(pinned.Since) < loose && lead < LooseLead ? way : null;
    }

    private DirectWay FurthestBehind(ImmutableArray<DirectWay> ways) => ways.MinBy(After)!;

    private double After(DirectWay way) => (_opened.GetValueOrDefault(way.Link) + 1) / way.Weight;

    private void Count(string link, double connections) => _opened[link] = Math.Max(0, _opened.GetValueOrDefault(link) + connections);

    private void Pin(IPAddress client, string link)
    {
        long now = time.GetTimestamp();
        bool same = _clients.TryGetValue(client, out var had) && had.Link == link && time.GetElapsedTime(had.Since) < loose;
        if (had is null && _clients.Count >= MaxClients)
        {
            foreach (var old in _clients.OrderBy(c => c.Value.Last).Take(MaxClients / 8).ToArray())
            {
                _clients.Remove(old.Key);
            }
        }

        _clients[client] = new Pinned(link, same ? had!.Since : now, now);
    }

    private void Decay()
    {
        long now = time.GetTimestamp();
        var passed = time.GetElapsedTime(_decayed, now);
        if (_decayed != 0 && passed < TimeSpan.FromSeconds(1))
        {
            return;
        }

        double factor = _decayed == 0 ? 1 : Math.Pow(0.5, passed / HalfLife);
        foreach (string link in _opened.Keys.ToArray())
        {
            _opened[link] *= factor;
        }

        _decayed = now;
    }

    /// <param name="Since">When the client came to this WAN.</param>
    /// <param name="Last">Its latest connection.</param>
    private sealed record Pinned(string Link, long Since, long Last);
}
