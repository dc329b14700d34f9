using System.Collections.Immutable;
using System.Globalization;
using Aggregator.Gateway.Speed;

namespace Aggregator.Gateway.Doctor;

/// <summary>What the last speed test measured of a link alone.</summary>
/// <param name="DownMbps">Null: not measured.</param>
/// <param name="UpMbps">Null: not measured.</param>
/// <param name="Age">Since that test began.</param>
internal sealed record LinkSpeed(double? DownMbps, double? UpMbps, double? RttIdleMs = null, TimeSpan Age = default)
{
    /// <summary>The latest of each link, where something was measured. A test from the future (the clock was set back) counts as just made.</summary>
    internal static ImmutableDictionary<string, LinkSpeed> Last(IEnumerable<SpeedHistoryEntry> history, DateTimeOffset now)
    {
        var last = ImmutableDictionary.CreateBuilder<string, LinkSpeed>();
        foreach (SpeedHistoryEntry test in history)
        {
            TimeSpan age = now - DateTimeOffset.Parse(test.Started, CultureInfo.InvariantCulture);
            foreach (SpeedHistoryLink link in test.Links.Where(l => l.DownMbps is not null || l.UpMbps is not null))
            {
                last[link.Name] = new LinkSpeed(link.DownMbps, link.UpMbps, link.RttIdleMs, age < TimeSpan.Zero ? TimeSpan.Zero : age);
            }
        }

        return last.ToImmutable();
    }
}
