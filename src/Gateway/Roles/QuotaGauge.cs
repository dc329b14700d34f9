using System.Globalization;
using Aggregator.Gateway.Configuration;
using Aggregator.Settings;

namespace Aggregator.Gateway.Roles;

/// <summary>Decides from a usage what it means for the link, and when to look again. Pure.</summary>
internal static class QuotaGauge
{
    /// <summary>At which parts of the limit people are warned.</summary>
    internal static readonly int[] WarnAtPercent = [80, 95];

    /// <summary>Traffic may begin between two looks at any time: at 1 Gbit/s this long is 31 MB, so no look is ever further away near the limit.</summary>
    internal static readonly TimeSpan Longest = TimeSpan.FromSeconds(1);

    /// <summary>A look costs some 50 µs.</summary>
    internal static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(10);

    /// <summary>From the decision until nothing more is sent: rules and endpoints are changed, the VPS hears of it.</summary>
    private static readonly TimeSpan Reaction = TimeSpan.FromMilliseconds(40);

    /// <summary>Bytes in a second over which a line at its fullest is thought to be able to jump when it is idle now.</summary>
    private const double JumpBytesPerSecond = 12.5e6;

    internal static long Used(Quota quota, Usage usage)
    {
        ulong bytes = quota.Count switch
        {
            QuotaCount.Down => usage.DownBytes,
            QuotaCount.Up => usage.UpBytes,
            _ => usage.DownBytes + usage.UpBytes,
        };
        return (long)Math.Min(bytes, long.MaxValue);
    }

    /// <summary>
    /// How much before the limit the link is taken out: what is under way at this rate still arrives. Never more than a hundredth of the limit or 400 kB.
    /// </summary>
    internal static long Margin(Quota quota, double bytesPerSecond, double? rttMs) => (long)Math.Min(
        bytesPerSecond * ((rttMs ?? 50) / 1000 + Reaction.TotalSeconds), Math.Max(400_000, quota.LimitBytes / 100.0));

    internal static bool IsExceeded(Quota quota, long used, double bytesPerSecond, double? rttMs) =>
        used >= quota.LimitBytes - Margin(quota, bytesPerSecond, rttMs);

    /// <summary>Half of the time that the rest lasts at this rate, or at a line's that wakes up.</summary>
    internal static TimeSpan NextLook(Quota quota, long used, double bytesPerSecond)
    {
        double left = Math.Max(0, quota.LimitBytes - used);
        var half = TimeSpan.FromSeconds(left / Math.Max(bytesPerSecond, JumpBytesPerSecond) / 2);
        return half > Longest ? Longest : half < Shortest ? Shortest : half;
    }

    /// <summary>The highest mark that is reached, in per cent; 0: none.</summary>
    internal static int Mark(Quota quota, long used) => WarnAtPercent.LastOrDefault(percent => used >= quota.LimitBytes / 100.0 * percent);

    internal static string Text(Quota quota, long used, DateOnly until) => string.Create(
        CultureInfo.InvariantCulture,
        $"{used * 100.0 / quota.LimitBytes:0.#} % of {Quantities.BytesText(quota.LimitBytes)} used, until {QuotaPeriods.Text(until)}");
}
