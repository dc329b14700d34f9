using System.Net.Sockets;
using Aggregator.Gateway.Carriers;
using Aggregator.Gateway.Configuration;

namespace Aggregator.Gateway.Links;

/// <summary>
/// The first subflow of a connection starts over the quickest WAN: of the active ones that are up, that with the lowest round trip; a backup
/// only when no active one is up. All WANs share the load whatever starts it: the other subflows join at once.
/// </summary>
/// <param name="current">The latest snapshot.</param>
/// <param name="loads">What is being loaded on purpose.</param>
internal sealed class WanSelector(Func<LinkSnapshot> current, LinkLoads loads) : IWanSelector
{
    /// <summary>Another WAN takes over only when it is quicker by this factor, so that two alike do not take turns.</summary>
    private const double Hysteresis = 0.8;

    private volatile string? _last;

    public bool TryPick(AddressFamily family, ReadOnlySpan<WanPath> tried, out WanPath path)
    {
        Link? best = null;
        var bestRank = Rank.None;
        double bestRtt = double.PositiveInfinity;
        foreach (var link in current().Links)
        {
            var rank = RankOf(link);
            if (rank == Rank.None || !TryPath(link, family, out var candidate) || tried.Contains(candidate))
            {
                continue;
            }

            double rtt = RttOf(link);
            if (link.Interface == _last)
            {
                rtt *= Hysteresis;
            }

            if (rank < bestRank || (rank == bestRank && rtt < bestRtt))
            {
                (best, bestRank, bestRtt) = (link, rank, rtt);
            }
        }

        path = default;
        if (best is null)
        {
            return false;
        }

        if (tried.IsEmpty)
        {
            _last = best.Interface;
        }

        return TryPath(best, family, out path);
    }

    public bool IsUsable(in WanPath path)
    {
        foreach (var link in current().Links)
        {
            if (link.Interface == path.Interface)
            {
                var source = path.Source;
                return link.Usable
                    && (source is null || link.Addresses.Any(a => a.Address.Equals(source)));
            }
        }

        // Bound to no device, or to one that is no WAN any more.
        return path.Interface is null;
    }

    public bool IsQuick(in WanPath path)
    {
        if (path.Source is not { } source)
        {
            return true;
        }

        Link? own = null;
        var bestRank = Rank.None;
        double best = double.PositiveInfinity;
        foreach (var link in current().Links)
        {
            own = link.Interface == path.Interface ? link : own;
            var rank = TryPath(link, source.AddressFamily, out _) ? RankOf(link) : Rank.None;
            double rtt = RttOf(link);
            if (rank < bestRank || (rank == bestRank && rtt < best))
            {
                (bestRank, best) = (rank, rtt);
            }
        }

        return own is null || RankOf(own) < bestRank
            || (RankOf(own) == bestRank && (loads.ExpectedMs(own.Interface) is null ? RttOf(own) <= LinkLoads.BearableMs(best) : RttOf(own) <= best));
    }

    /// <summary>Now, or as is to be expected within moments.</summary>
    private double RttOf(Link link) => loads.ExpectedMs(link.Interface) ?? link.RttMs ?? double.MaxValue;

    private static bool TryPath(Link link, AddressFamily family, out WanPath path)
    {
        var address = link.NextHop(family) is null ? null : link.Address(family);
        path = new WanPath(link.Interface, address);
        return address is not null;
    }

    private static Rank RankOf(Link link) => link switch
    {
        { Usable: false } => Rank.None,
        // No probe has decided: worth a try when there is nothing better, as at the start.
        { Checking: true, Role: LinkRole.Active } => Rank.ActiveUnknown,
        { Checking: true } => Rank.BackupUnknown,
        { Role: LinkRole.Active, State: LinkState.Up } => Rank.ActiveUp,
        { Role: LinkRole.Active } => Rank.ActiveDegraded,
        _ => Rank.Backup,
    };

    /// <summary>Lower is better.</summary>
    private enum Rank
    {
        ActiveUp,
        ActiveDegraded,
        ActiveUnknown,
        Backup,
        BackupUnknown,
        None,
    }
}
