using System.Globalization;
using Aggregator.Netlink;

namespace Aggregator.Gateway.Roles;

/// <summary>Whether a radio is too weak. Pure.</summary>
internal static class WifiJudgement
{
    /// <summary>Below, most radios fall back to their slowest rates and lose frames.</summary>
    internal const int WeakDbm = -78;

    /// <summary>Well again only so much above, so that a person who walks by is no event.</summary>
    internal const int HysteresisDb = 4;

    /// <summary>The slowest rates of 802.11g and n; nothing of use gets through beside the overhead.</summary>
    private const double SlowMbps = 6;

    /// <summary>Null: it is well.</summary>
    internal static string? Of(WifiStation station, bool wasPoor)
    {
        if (station.SignalDbm is { } dbm && dbm <= (wasPoor ? WeakDbm + HysteresisDb : WeakDbm))
        {
            // In steps, so that every decibel is no new reason.
            return string.Create(CultureInfo.InvariantCulture, $"Wi-Fi signal about {dbm / 5 * 5} dBm");
        }

        double rate = Math.Min(station.RxMbps ?? double.MaxValue, station.TxMbps ?? double.MaxValue);
        return rate < (wasPoor ? SlowMbps * 1.5 : SlowMbps) ? "Wi-Fi at its slowest rates" : null;
    }
}
