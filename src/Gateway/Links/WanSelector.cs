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
        path = default;
        if (Best(family, tried) is not { } best)
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
        if (path.Source is not { } source || Best(source.AddressFamily, []) is not { } best || best.Interface == path.Interface)
        {
            return true;
        }

        foreach (var link in current().Links)
        {
            if (link.Interface == path.Interface)
            {
                // What is loaded now gives way to any that is better; without a load a connection is worth keeping that is not much slower.
                return !loads.IsLeftOut(link.Interface) && (RankOf(link) < RankOf(best)
                    || (RankOf(link) == RankOf(best) && !IsLoaded(link) && RttOf(link) <= LinkLoad.BearableMs(RttOf(best))));
            }
        }

        return true;
    }

    private Link? Best(AddressFamily family, ReadOnlySpan<WanPath> tried)
    {
        Link? best = null;
        var bestRank = Rank.None;
        double bestRtt = double.PositiveInfinity;
        foreach (var link in current().Links)
        {
            var rank = loads.IsLeftOut(link.Interface) ? Rank.Backup : RankOf(link);
            if (rank == Rank.None || !TryPath(link, family, out var candidate) || tried.Contains(candidate))
            {
                continue;
            }

            double rtt = RttOf(link);
            if (link.Interface == _last && !IsLoaded(link))
            {
                rtt *= Hysteresis;
            }

            if (rank < bestRank || (rank == bestRank && rtt < bestRtt))
            {
                (best, bestRank, bestRtt) = (link, rank, rtt);
            }
        }

        return best;
    }

    private double RttOf(Link link) => LinkLoads.RttMs(link, loads.Current) ?? double.MaxValue;

    private bool IsLoaded(Link link) => loads.Current.TryGetValue(link.Interface, out LinkLoad load) && load.IsLoaded;

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
